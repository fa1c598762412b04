"""Frozen-trunk features: hidden states of chosen layers at every response, once, on disk, memory-mapped.

One pass over token trees fills `FOLDER/KEY/part-DIGEST/`, a sealed folder per window of records. KEY names weights,
token policy, precision, layers and pooling; a part's DIGEST names the texts in it. So a killed pass resumes, the same
texts are never read twice, and a stale feature cannot be taken for a fresh one.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.errors import DataError, PlauditError
from plaudit.folders import is_sealed, publish
from plaudit.models.forward import Reader, forward
from plaudit.models.score import ModelScorer, autocast
from plaudit.models.tokens import Encoded, encode_all, with_beginnings
from plaudit.models.trees.attention import layout
from plaudit.models.trees.plan import plan
from plaudit.records import Preference, digest

PART = 128  # records in one part: what a killed pass loses at most
VERSION = 2  # raised whenever the same model and text could give other features
Pool = Literal["read", "mean"]


@dataclass(frozen=True)
class Features:
    """Memory-mapped features of records, in the order they were asked for.

    `layers` and `pools` say what the first two axes hold. `record(i)` is [L, Q, N, H]: layers, pools, responses, width.
    """

    layers: tuple[int, ...]
    pools: tuple[Pool, ...]
    parts: tuple[NDArray, ...]  # [R of the part, L, Q, H] each
    place: NDArray[np.int64]  # [records, 3]: part, first row, responses

    def __len__(self) -> int:
        return len(self.place)

    def record(self, i: int) -> NDArray[np.float32]:
        """Features of record i: float32 [L, Q, N, H]."""
        part, first, count = self.place[i]
        return np.moveaxis(np.asarray(self.parts[part][first : first + count], np.float32), 0, 2)

    def matrix(self, layer: int, pool: Pool = "read") -> NDArray[np.float32]:
        """One layer and pooling of all responses, records end to end: float32 [sum of N, H]."""
        at, how = self.layers.index(layer), self.pools.index(pool)
        rows = [self.parts[p][first : first + count, at, how] for p, first, count in self.place]
        return np.concatenate(rows).astype(np.float32, copy=False)


def features(
    scorer: ModelScorer,
    preferences: Sequence[Preference],
    folder: str | Path,
    *,
    layers: Sequence[int] = (-1,),
    pools: Sequence[Pool] = ("read",),
    store: Literal["float32", "float16"] = "float32",
    encoded: Sequence[Encoded] | None = None,
    advance=None,
) -> Features:
    """Features of every response of `preferences`; what lies in `folder` already is not computed again.

    Layer 0 is the embeddings, i the output of block i, -1 the last hidden state; the trunk stops at the last layer
    that is needed. `read` is the read point, `mean` the mean over the response's own tokens. `encoded`: the preferences
    by this model's own rules, where the caller has them already.

    Raises:
        PlauditError: the model is not read over token trees.
        DataError: a record does not fit it.
    """
    if scorer.verdict.way != "tree":
        raise PlauditError(f"features need a model that reads token trees: {scorer.verdict.reason}")
    key = digest(scorer.fingerprint, repr((VERSION, tuple(layers), tuple(pools), store)))
    home = Path(folder) / key
    parts: list[NDArray] = []
    place: list[tuple[int, int, int]] = []
    for at in range(0, len(preferences), PART):
        window = preferences[at : at + PART]
        name = home / f"part-{digest(*(p.content for p in window))}"
        if not is_sealed(name):
            known = encode_all(window, scorer.loaded.policy) if encoded is None else encoded[at : at + PART]
            _fill(scorer, window, known, name, tuple(layers), tuple(pools), store)
        os.utime(name)  # used now: a bounded cache removes the oldest first
        parts.append(np.load(name / "features.npy", mmap_mode="r"))
        first = 0
        for p in window:
            place.append((len(parts) - 1, first, len(p.responses)))
            first += len(p.responses)
        if advance:
            advance(len(window))
    return Features(tuple(layers), tuple(pools), tuple(parts), np.array(place, np.int64).reshape(-1, 3))


def _fill(
    scorer: ModelScorer, window: Sequence[Preference], encoded: Sequence[Encoded], name: Path, layers, pools, store: str
) -> None:
    for p, e in zip(window, encoded, strict=True):
        if e.refused:
            raise DataError(p.source or p.id, e.refused)
    if "mean" in pools:
        encoded = with_beginnings(window, encoded, scorer.loaded.policy)
    table = narrowed(compute(scorer, encoded, layers, pools), store)
    with publish(name, replace=True) as part:
        np.save(part / "features.npy", table)
        facts = {"layers": layers, "pools": pools, "records": [p.id for p in window], "scorer": scorer.fingerprint}
        (part / "features.json").write_text(json.dumps(facts), encoding="utf-8")


def narrowed(table: NDArray[np.float32], store: str) -> NDArray:
    """The table as it is stored; in float32 where half precision cannot hold its largest value (65,504)."""
    fits = store == "float32" or float(np.abs(table).max(initial=0)) < float(np.finfo(store).max)
    return table.astype(store) if fits else table


@torch.no_grad()
def compute(scorer: ModelScorer, encoded: Sequence[Encoded], layers, pools) -> NDArray[np.float32]:
    """Features of encoded records, their responses end to end: float32 [R, L, Q, H]."""
    reader: Reader = scorer.reader
    device = next(reader.parameters()).device
    starts = np.cumsum([0, *(len(e.responses) for e in encoded)])
    out: NDArray | None = None
    for tree in plan(encoded, budget=scorer.budget):
        laid = layout(tree, device)
        with autocast(device, scorer.dtype):
            found = forward(reader.model, laid, layers=layers, pools=pools)  # [L, Q, R, H]
        values = found.float().permute(2, 0, 1, 3).cpu().numpy()
        if out is None:
            out = np.empty((int(starts[-1]), *values.shape[1:]), np.float32)
        out[starts[tree.owner] + tree.which] = values
    return np.zeros((0, len(layers), len(pools), 0), np.float32) if out is None else out
