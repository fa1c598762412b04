"""Whether a loaded model gives the same numbers on a token tree as on single sequences.

Families are not trusted by name: DeBERTa ignores the attention interface and is wrong without an error. Every model is
tried once on a random little tree; what deviates or refuses is read padded instead, and that is said.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from plaudit.models.forward import Reader, Way, attention, inner, is_causal, sequences
from plaudit.models.trees.attention import Refused
from plaudit.models.trees.plan import Tree, plan
from plaudit.seeds import generator

# Share of the spread of scores over random sequences; bf16 alone moves scores by a good part of it.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.5, torch.float16: 0.1, torch.float64: 1e-6}


@dataclass(frozen=True)
class Verdict:
    """`way` to read the model, the largest deviation (as a share of the spread of scores), the reason in words."""

    way: Way
    deviation: float
    reason: str


@dataclass(frozen=True)
class _Record:
    prompt: np.ndarray
    responses: tuple[np.ndarray, ...]
    cuts: tuple[int, ...]
    read: tuple[int, ...]
    begin: tuple[int, ...] = ()


def sample(model: Any, *, seed: int = 0) -> Tree:
    """A random little tree in the model's vocabulary: three records, unlike lengths, one extending another."""
    config = inner(model).config.get_text_config()
    draw = generator(seed, "probe")
    pad = config.pad_token_id if config.pad_token_id is not None else -1
    # BERT's read point is the first token of a sequence, a decoder's the last; a pad id inside would be skipped

    def ids(n: int) -> np.ndarray:
        return np.array([t for t in draw.integers(3, config.vocab_size, 4 * n) if t != pad][:n], np.int32)

    if not is_causal(model):
        empty = np.zeros(0, np.int32)
        return plan([_Record(empty, (ids(9), ids(14)), (), (0, 0)), _Record(empty, (ids(21),), (), (0,))])[0]
    first, answer = ids(11), ids(7)
    records = [
        _Record(first, (answer, ids(12)), (4, 11), (17, 22)),
        _Record(np.concatenate([first, answer, ids(5)]), (ids(3), ids(9), ids(2)), (4, 23), (25, 31, 24)),
        _Record(ids(6), (ids(30),), (6,), (35,)),
    ]
    return plan(records, budget=4096)[0]


def probe(model: Any) -> Verdict:
    """Compare tree and single-sequence scores of `model` in its own dtype, on its own device."""
    core = inner(model)
    training, dtype = model.training, next(model.parameters()).dtype
    tree = sample(model)
    before = core.config._attn_implementation
    model.eval()
    try:
        with torch.no_grad(), attention(core, "sdpa" if getattr(core, "_supports_sdpa", False) else "eager"):
            device = next(model.parameters()).device
            alone = torch.stack([model(input_ids=s[None].to(device)).logits[0].float() for s in sequences(tree)])
        try:
            with torch.no_grad(), attention(core, before):
                together = Reader(model, "tree")(tree)
        except (Refused, NotImplementedError, TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            return Verdict("padded", float("nan"), f"cannot read token trees ({type(error).__name__}: {error})")
    finally:
        core.set_attn_implementation(before)
        model.train(training)
    together = together[:, None] if together.ndim == 1 else together
    spread = alone.std(0).clamp(min=1e-6)  # a random head may score all alike: compare to what differs at all
    deviation = float(((together - alone).abs() / spread).max())
    if not deviation <= TOLERANCE.get(dtype, 1e-4):
        return Verdict("padded", deviation, f"its scores on token trees differ by {deviation:.1e} of their spread")
    return Verdict("tree", deviation, "every token is computed once" if is_causal(model) else "no padding")
