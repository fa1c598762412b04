"""Scores from a checkpoint: encode, plan, forward, head. Neighbours, order and budget never change a number."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.errors import DataError
from plaudit.models.backbone import Loaded, load_backbone
from plaudit.models.device import place
from plaudit.models.forward import Reader
from plaudit.models.lora import is_adapted
from plaudit.models.tokens import Encoded, encode_all, texts
from plaudit.models.trees.plan import plan
from plaudit.models.trees.probe import Verdict, probe
from plaudit.records import Preference, digest

WINDOW = 512  # records encoded and planned together


def autocast(device: torch.device, dtype: str) -> Any:
    """bfloat16 inside the matrix products; weights, residual stream, norms and head stay as they are."""
    return torch.autocast(device.type, torch.bfloat16) if dtype == "bfloat16" else nullcontext()


@torch.no_grad()
def scores(
    reader: Reader, encoded: Sequence[Encoded], *, budget: int = 4096, dtype: str = "float32", advance=None
) -> list[NDArray[np.float32]]:
    """One float32 array [N] (or [N, K]) per encoded record, in the order given."""
    device = next(reader.parameters()).device
    found: list[list] = [[None] * len(e.responses) for e in encoded]
    for tree in plan(encoded, budget=budget):
        with autocast(device, dtype):
            values = reader(tree).cpu().numpy()
        for value, owner, which in zip(values, tree.owner, tree.which, strict=True):
            found[owner][which] = value
        if advance:
            advance(len(tree.records), tokens=len(tree.tokens))
    return [np.array(row, np.float32) for row in found]


class ModelScorer:
    """A trained reward model as a `Scorer`."""

    def __init__(self, loaded: Loaded, *, dtype: str, budget: int, verdict: Verdict | None = None) -> None:
        self.loaded, self.dtype, self.budget = loaded, dtype, budget
        self.heard: Callable[[float], None] | None = None
        self.verdict = verdict or probe(loaded.model)
        self.reader = Reader(loaded.model.eval(), self.verdict.way)
        if dtype == "bfloat16" and not is_adapted(loaded.model):  # cast the trunk's matrices once, not in every window
            for name, layer in loaded.model.base_model.named_modules():
                if isinstance(layer, torch.nn.Linear) and "pooler" not in name:  # BERT's pooler belongs to the head
                    layer.to(torch.bfloat16)
        self.fingerprint = digest(loaded.fingerprint, loaded.policy.digest, dtype)

    def score_stream(self, preferences: Iterable[Preference]) -> Iterator[NDArray]:
        """One array [N] per preference, in order; a window at a time."""
        window: list[Preference] = []
        for preference in preferences:
            window.append(preference)
            if len(window) == WINDOW:
                yield from self._window(window)
                window = []
        yield from self._window(window)

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        return list(self.score_stream(preferences))

    def texts(self, preference: Preference) -> list[str]:
        """The exact strings that are scored; `tokenizer(text, add_special_tokens=False)` gives their ids."""
        return texts(preference, self.loaded.policy)

    def _window(self, window: list[Preference]) -> list[NDArray]:
        encoded = encode_all(window, self.loaded.policy)
        for preference, found in zip(window, encoded, strict=True):
            if found.refused:
                advice = "raise --max-length, or drop the row" if found.too_long else ""
                raise DataError(preference.source or preference.id, found.refused, advice=advice)
        values = scores(self.reader, encoded, budget=self.budget, dtype=self.dtype, advance=self._tell)
        for preference, row in zip(window, values, strict=True):
            if not np.isfinite(row).all():
                raise DataError(preference.source or preference.id, f"the model's score is {row.tolist()}")
        return values

    def watch(self, heard: Callable[[float], None] | None) -> None:
        """Name who is told how many preferences were scored, batch by batch; None: nobody."""
        self.heard = heard

    def _tell(self, done: float, **_: int) -> None:
        if self.heard:
            self.heard(done)


def load_scorer(
    folder: str | Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    device: str = "",
    budget: int = 4096,
    max_length: int | None = None,
    trust_remote_code: bool = False,
    allow_pickles: bool = False,
) -> ModelScorer:
    """A scorer from a checkpoint folder or a hub id; `trust_remote_code`, `allow_pickles` as in `load_backbone`.

    Raises:
        PlauditError: nothing loadable is there, or the device is not.
    """
    loaded = load_backbone(
        str(folder), trust_remote_code=trust_remote_code, allow_pickles=allow_pickles, max_length=max_length
    )
    place(loaded.model, device)
    return ModelScorer(loaded, dtype=dtype, budget=budget)
