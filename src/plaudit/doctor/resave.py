"""A model as others left it, saved as a checkpoint that everybody can load, and proved to score as before.

LoRA adapters are merged, LLaMA-Factory's value head goes where everybody looks for a head, a pad token is added where
there was none, the template's date is pinned. What the weights say stays: a head that was trained with its end mark as
padding keeps it, since another one would move its scores.
"""

import gc
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy.typing import NDArray

from plaudit import folders
from plaudit.doctor.conversations import Sample, sample
from plaudit.doctor.reading import alone, deviation
from plaudit.errors import GateError, PlauditError
from plaudit.models import checkpoint
from plaudit.models.backbone import Loaded, load_backbone, read_facts, resolve
from plaudit.models.lora import is_adapted
from plaudit.models.quiet import quiet

LONGEST = 256  # tokens of the longest conversation that is scored before and after


@dataclass(frozen=True)
class Resaved:
    """What was saved: `deviation` is the largest over `sequences` texts, relative to max(1, |score|)."""

    folder: Path
    head: str
    merged: bool
    deviation: float
    sequences: int
    notes: tuple[str, ...]


def resave(
    model: str | Path,
    output_dir: str | Path,
    *,
    tolerance: float = 1e-5,
    trust_remote_code: bool = False,
    allow_pickles: bool = False,
) -> Resaved:
    """Load a model as `load_backbone` does, save it into a new folder, and compare scores before and after.

    Before: the model as loaded, adapters not merged yet. After: the new files as plain transformers reads them, from
    the text on. Both in float32, one sequence at a time. What deviates is not kept.

    Raises:
        PlauditError: nothing loadable is there, it has no scoring head, or `output_dir` exists.
        GateError: a score moved by more than `tolerance`.
    """
    target = Path(output_dir)
    if target.exists():
        raise PlauditError(f"{target} exists already", advice="choose another --output-dir; no model is written over")
    loaded = load_backbone(model, trust_remote_code=trust_remote_code, allow_pickles=allow_pickles, merge=False)
    if loaded.head == "fresh":
        raise PlauditError(
            f"{model}: it has no scoring head, so there is no reward model to save",
            advice="train one: plaudit train FILE --model MODEL --output-dir D",
        )
    probe = sample(loaded.policy, longest=LONGEST)
    if not probe.ids:
        raise PlauditError(f"{model}: it takes no conversation of the sample: {(probe.refused or ('no text',))[0]}")
    before, merged = alone(loaded.model, probe.ids), is_adapted(loaded.model)
    with folders.publish(target) as part:
        _write(part, loaded, str(model), merged)
        loaded.model = None  # one copy of the weights is enough
        gc.collect()
        moved = deviation(_read_back(part, probe, trust_remote_code), before)
        if moved > tolerance:
            raise GateError(
                f"{model}: saved anew a score moves by {moved:.2g} of max(1, |score|), beyond {tolerance:g}; "
                f"{target} was not written",
                advice="weights stored in half precision or merged adapters may round; --tolerance allows more",
            )
    return Resaved(target, loaded.head, merged, moved, len(before), tuple(loaded.warnings))


def _write(part: Path, loaded: Loaded, model: str, merged: bool) -> None:
    """The checkpoint. What an earlier run of ours wrote down stays true; of merged adapters what they brought along."""
    facts = read_facts(resolve(model)[0]) if merged else loaded.facts
    kept = {k: v for k, v in facts.items() if k not in ("format", "versions")}
    plain = loaded.model.merge_and_unload() if merged else loaded.model
    origin = {"model": resolve(model)[1], "fingerprint": loaded.fingerprint, "head": loaded.head, "merged": merged}
    checkpoint.save(part, plain, loaded.tokenizer, {**kept, "policy": loaded.policy.facts(), "saved_from": origin})


def _read_back(part: Path, probe: Sample, trust: bool) -> NDArray:
    """Scores of the same texts by the new files, as plain transformers reads them."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(str(part), trust_remote_code=trust)
        model = AutoModelForSequenceClassification.from_pretrained(
            str(part), dtype=torch.float32, use_safetensors=True, trust_remote_code=trust
        ).eval()
    return alone(model, [tokenizer(text, add_special_tokens=False)["input_ids"] for text in probe.texts])
