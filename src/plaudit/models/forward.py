"""The one way through a model: scoring, features and training all pass here.

A model that its probe found fit reads token trees; any other reads its sequences one by one side by side, padded on
the right in buckets of like length, and says so.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plaudit.models.heads import scalar
from plaudit.models.trees.attention import NAME, Layout, layout
from plaudit.models.trees.plan import Tree

Way = Literal["tree", "padded"]
BUCKET = 4096  # slots of one padded bucket


@contextmanager
def attention(model: Any, name: str) -> Iterator[None]:
    """Within the block the model computes attention by the implementation of that name."""
    before = model.config._attn_implementation
    if before != name:
        model.set_attn_implementation(name)
    try:
        yield
    finally:
        if before != name:
            model.set_attn_implementation(before)


def inner(model: Any) -> Any:
    """The `...ForSequenceClassification` inside a peft wrapper, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def is_causal(model: Any) -> bool:
    """Whether a token sees only what stands before it, so that a prompt can be shared."""
    flags = {m.is_causal for m in inner(model).modules() if isinstance(getattr(m, "is_causal", None), bool)}
    return flags != {False}


def first_position(model: Any) -> int:
    """Where the family starts to count positions: 0, or pad id + 1 in RoBERTa's line."""
    embeddings = getattr(inner(model).base_model, "embeddings", None)
    table = getattr(embeddings, "position_embeddings", None)
    return table.padding_idx + 1 if table is not None and getattr(table, "padding_idx", None) is not None else 0


def extras(model: Any, tokens: Tensor) -> dict[str, Tensor]:
    """Inputs some families want beside ids and positions."""
    return {"token_type_ids": torch.zeros_like(tokens)} if getattr(model.config, "type_vocab_size", 0) else {}


def blocks(model: Any) -> nn.ModuleList:
    """The stack of layers of the trunk: the longest list of modules in it."""
    lists = [m for m in inner(model).base_model.modules() if isinstance(m, nn.ModuleList)]
    if not lists:
        raise NotImplementedError(f"{type(model).__name__}: no stack of layers found")
    return max(lists, key=len)


class _EnoughError(Exception):
    """Raised inside the trunk when the last layer that was asked for is done."""


def hidden_states(model: Any, tree: Layout, layers: Sequence[int] = (-1,)) -> dict[int, Tensor]:
    """Hidden states of the flat row, {layer: [T, H]}.

    Layer 0 is the embeddings, i the output of block i, -1 the trunk's own last hidden state (after its final norm).
    The trunk stops at the last block that is needed.
    """
    base = inner(model).base_model
    stack = blocks(model)
    found: dict[int, Tensor] = {}
    wanted = set(layers) - {-1}
    if not wanted <= set(range(len(stack) + 1)):
        raise ValueError(f"layers {sorted(wanted)} of a trunk with {len(stack)} blocks")
    handles = []

    def keep_input(_module, args, kwargs):
        found[0] = (args[0] if args else kwargs["hidden_states"])[0]
        if wanted == {0} and -1 not in layers:
            raise _EnoughError

    def keep_output(index):
        def hook(_module, _args, output):
            found[index] = (output[0] if isinstance(output, tuple) else output)[0]
            if -1 not in layers and index == max(wanted):
                raise _EnoughError

        return hook

    if 0 in wanted:
        handles.append(stack[0].register_forward_pre_hook(keep_input, with_kwargs=True))
    handles += [stack[i - 1].register_forward_hook(keep_output(i)) for i in sorted(wanted - {0})]
    try:
        cache = {} if not is_causal(model) else {"use_cache": False}
        position = tree.position + first_position(model)
        out = base(input_ids=tree.tokens, position_ids=position, tree=tree, **cache, **extras(base, tree.tokens))
        if -1 in layers:
            found[-1] = out.last_hidden_state[0]
    except _EnoughError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def forward(
    model: Any, tree: Layout, *, layers: Sequence[int] = (-1,), pools: Sequence[Literal["read", "mean"]] = ("read",)
) -> Tensor:
    """Hidden states where they are read: [L, Q, R, H], layers and poolings in the order asked for.

    `read` takes the read point, `mean` the mean over the response's own tokens.
    """
    found = hidden_states(inner(model), tree, layers)
    own = own_tokens(tree.tree) if "mean" in pools else []

    def pooled(hidden: Tensor, pool: str) -> Tensor:
        if pool == "read":
            return hidden[tree.reads]
        return torch.stack([hidden[tokens].float().mean(0) for tokens in own])

    return torch.stack([torch.stack([pooled(found[i], pool) for pool in pools]) for i in layers])


def own_tokens(tree: Tree) -> list[Tensor]:
    """Flat indices of every response's own tokens, up to its read point: R tensors.

    Where the read point stands before them (encoders) they go to the end of the sequence. A response whose tokens are
    the tail of a longer, merged segment is followed along its path.
    """
    spans, paths = tree.spans, tree.paths
    out = []
    for read, first in zip(tree.reads, tree.first, strict=True):
        leaf = int(tree.node[read])
        home = int(tree.node[first])
        if read < first and leaf == home:
            out.append(torch.arange(int(first), spans[leaf][1]))
            continue
        whole: list[Tensor] = []
        for segment in [*paths[leaf], leaf]:
            start, stop = spans[segment]
            if segment == home:
                start = int(first)
            elif segment < home or (whole == [] and home not in paths[leaf] and segment != leaf):
                continue
            whole.append(torch.arange(start, int(read) + 1 if segment == leaf and read >= first else stop))
        out.append(torch.cat(whole))
    return out


def sequences(tree: Tree) -> list[Tensor]:
    """The whole sequence of ids behind every read point, path first: R tensors."""
    tokens = torch.as_tensor(tree.tokens)
    out = []
    for read in tree.reads:
        leaf = int(tree.node[read])
        parts = [tokens[slice(*tree.spans[p])] for p in tree.paths[leaf]]
        out.append(torch.cat([*parts, tokens[slice(*tree.spans[leaf])]]))
    return out


def padded_scores(model: Any, tree: Tree) -> Tensor:
    """Scores [R] by the family's own forward, sequences padded on the right in buckets of like length."""
    whole = sequences(tree)
    device = next(model.parameters()).device
    pad = inner(model).config.get_text_config().pad_token_id
    order = sorted(range(len(whole)), key=lambda i: len(whole[i]))
    parts: list[Tensor] = []
    bucket: list[int] = []
    for i in order:
        if bucket and (len(bucket) + 1) * len(whole[i]) > (BUCKET if pad is not None else 0):
            parts.append(_bucket(model, [whole[j] for j in bucket], pad, device))
            bucket = []
        bucket.append(i)
    parts.append(_bucket(model, [whole[j] for j in bucket], pad, device))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def _bucket(model: Any, rows: list[Tensor], pad: int | None, device: torch.device) -> Tensor:
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad or 0).to(device)
    lengths = torch.tensor([len(r) for r in rows], device=device)
    mask = (torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]).long()
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
    return logits[:, 0] if logits.shape[1] == 1 else logits


class Reader(nn.Module):
    """A model with the way it is to be read, as one module: what accelerate wraps and what every caller calls."""

    def __init__(self, model: Any, way: Way = "tree") -> None:
        super().__init__()
        self.model: Any = model
        self.way = way
        if way == "tree":
            inner(model).set_attn_implementation(NAME)

    def forward(self, tree: Tree | Layout) -> Tensor:
        """Scores at the read points: float32 [R] (or [R, K])."""
        if self.way == "padded":
            return padded_scores(self.model, tree.tree if isinstance(tree, Layout) else tree)
        laid = layout(tree, next(self.model.parameters()).device) if isinstance(tree, Tree) else tree
        return scalar.score(inner(self.model), forward(self.model, laid)[0, 0])
