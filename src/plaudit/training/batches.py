"""Preferences become optimiser steps: a fixed number of preferences, cut into token-budget micro-batches.

The order is a pure function of seed and epoch, so a position is all that a checkpoint stores. Every rank builds the
same list and takes its share; how a batch is cut never changes its loss.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit.models.trees.plan import Tree, cost, plan
from plaudit.seeds import order


@dataclass(frozen=True)
class Columns:
    """What is trained on, as columns over all preferences.

    Comparisons: `preference, better, worse` (responses counted within their preference), `target, margin, weight` [P].
    Responses: `ratings` per preference [N, A] (NaN: not rated), `ranks` per preference or None.
    """

    preference: NDArray[np.int64]
    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    target: NDArray[np.float64]
    margin: NDArray[np.float64]
    weight: NDArray[np.float64]
    ranks: Sequence[tuple[int, ...] | None]
    ratings: Sequence[NDArray[np.float64]]
    own_weight: NDArray[np.float64]  # weight of each preference, for pointwise and listwise losses
    strength: NDArray[np.float64] | None = None  # [P] the source's graded strength, 0 where it gives none
    label: NDArray[np.float64] | None = None  # [P] the targets as they came, where `target` moves


@dataclass(frozen=True)
class Batch:
    """One micro-batch. N responses in the tree's order of read points, P comparisons between them.

    `group, ranks` [N] (rank -1: nobody judged); `ratings` [N, A]; `better, worse` index into N;
    `target, margin, weight` [P]; `rows` are the preferences' places in the data, for messages. `side` holds
    `own_weight` [N]; `slot` [N], each response's place in the whole step, and `place` [P], each comparison's in the
    columns, neither of which depends on the cut; and `label` [P] where targets move.
    """

    tree: Tree
    group: Tensor
    ranks: Tensor
    ratings: Tensor
    better: Tensor
    worse: Tensor
    target: Tensor
    margin: Tensor
    weight: Tensor
    rows: tuple[int, ...] = ()
    side: dict[str, Tensor] = field(default_factory=dict)


def steps_per_epoch(n: int, size: int) -> int:
    """Optimiser steps in one pass; the last batch may be smaller."""
    return math.ceil(n / size)


def position(step: int, n: int, size: int) -> tuple[int, int]:
    """(epoch, first place in that epoch's order) of an optimiser step counted from 0."""
    per = steps_per_epoch(n, size)
    return step // per, (step % per) * size


def rows_of(step: int, n: int, size: int, seed: int) -> NDArray[np.int64]:
    """The preferences of one optimiser step."""
    epoch, first = position(step, n, size)
    return order(n, seed, epoch)[first : first + size]


def batches(
    encoded: Sequence, columns: Columns, *, size: int, budget: int, seed: int, start: int = 0, shares: int = 1
) -> Iterator[list[Batch]]:
    """Yield the micro-batches of every optimiser step from `start` on, for ever; `shares` is the number of ranks.

    Rank r takes every `shares`-th item from the r-th on.
    """
    where = _by_preference(columns, len(encoded))
    step = start
    while True:
        yield cut(encoded, columns, where, rows_of(step, len(encoded), size, seed), budget=budget, shares=shares)
        step += 1


@dataclass(frozen=True)
class Everything:
    """The columns of all preferences at once, as an objective reads them: a `Batch` without a tree."""

    group: Tensor
    ranks: Tensor
    ratings: Tensor
    better: Tensor
    worse: Tensor
    target: Tensor
    margin: Tensor
    weight: Tensor
    side: dict[str, Tensor]


def everything(columns: Columns) -> Everything:
    """All preferences as one batch, to be looked at before the first step."""
    sizes = np.array([len(r) for r in columns.ratings], np.int64)
    starts = np.cumsum(sizes) - sizes
    ranks = [r or (-1,) * n for r, n in zip(columns.ranks, sizes.tolist(), strict=True)]
    real = lambda x: torch.as_tensor(x, dtype=torch.float32)  # noqa: E731
    return Everything(
        group=torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)),
        ranks=torch.tensor([i for row in ranks for i in row], dtype=torch.long),
        ratings=real(np.concatenate(columns.ratings)),
        better=torch.from_numpy(starts[columns.preference] + columns.better),
        worse=torch.from_numpy(starts[columns.preference] + columns.worse),
        target=real(columns.target),
        margin=real(columns.margin),
        weight=real(columns.weight),
        side={"own_weight": real(np.repeat(columns.own_weight, sizes))},
    )


def _by_preference(columns: Columns, n: int) -> list[NDArray[np.int64]]:
    """Places of each preference's comparisons in the columns."""
    places = np.argsort(columns.preference, kind="stable")
    return np.split(places, np.searchsorted(columns.preference[places], np.arange(1, n)))


def cut(encoded, columns: Columns, where, rows: NDArray[np.int64], *, budget: int, shares: int = 1) -> list[Batch]:
    """One batch of preferences as micro-batches of about `budget` tokens, balanced over `shares` ranks."""
    picked = [encoded[i] for i in rows]
    if shares > 1:
        budget = min(budget, max(math.ceil(sum(map(cost, picked)) / shares), 1))
    trees = plan(picked, budget=budget)
    sizes = np.array([len(record.responses) for record in picked], np.int64)
    starts = np.cumsum(sizes) - sizes
    return [_batch(tree, columns, where, rows, starts) for tree in trees]


def _batch(tree: Tree, columns: Columns, where, rows: NDArray[np.int64], starts: NDArray[np.int64]) -> Batch:
    place = {(int(o), int(w)): r for r, (o, w) in enumerate(zip(tree.owner, tree.which, strict=True))}
    own = [int(rows[o]) for o in tree.records]
    chosen = [np.asarray(where[i]) for i in own]
    better, worse = [], []
    for o, pairs in zip(tree.records, chosen, strict=True):
        better += [place[o, int(columns.better[p])] for p in pairs]
        worse += [place[o, int(columns.worse[p])] for p in pairs]
    pairs = np.concatenate(chosen).astype(np.int64) if chosen else np.zeros(0, np.int64)
    ranks, ratings = [], []
    for o, w in zip(tree.owner, tree.which, strict=True):
        i = int(rows[o])
        given = columns.ranks[i]
        ranks.append(-1 if given is None else given[w])
        ratings.append(columns.ratings[i][w])
    dense = {o: g for g, o in enumerate(tree.records)}
    own_weight = torch.tensor([columns.own_weight[int(rows[o])] for o in tree.owner], dtype=torch.float32)
    tensor = lambda x, kind: torch.as_tensor(np.asarray(x), dtype=kind)  # noqa: E731
    side = {"own_weight": own_weight, "slot": tensor(starts[tree.owner] + tree.which, torch.long)}
    side["place"] = tensor(pairs, torch.long)
    if columns.label is not None:
        side["label"] = tensor(columns.label[pairs], torch.float32)
    return Batch(
        tree=tree,
        group=tensor([dense[int(o)] for o in tree.owner], torch.long),
        ranks=tensor(ranks, torch.long),
        ratings=tensor(np.stack(ratings) if ratings else np.zeros((0, 0)), torch.float32),
        better=tensor(better, torch.long),
        worse=tensor(worse, torch.long),
        target=tensor(columns.target[pairs], torch.float32),
        margin=tensor(columns.margin[pairs], torch.float32),
        weight=tensor(columns.weight[pairs], torch.float32),
        rows=tuple(own),
        side=side,
    )
