"""Outcomes (what each row earned) and Result (one line of an evaluation, its company beside it)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plaudit.metrics.intervals import DRAWS, codes, difference_interval, mean_interval, percentiles, weights


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What every row earned under one rule. All arrays have one entry per row, [n].

    `leaf` holds indices into `leaves`, names such as `pairs/harmlessness/S1`: sections are their prefixes. `group` is
    the prompt group. `chance` is the expectation of a scorer that knows nothing. `weight` is 1; a bootstrap changes it.
    """

    ids: tuple[str, ...]
    credit: NDArray[np.float64]
    tied: NDArray[np.bool_]
    chance: NDArray[np.float64]
    group: NDArray[np.int64]
    leaf: NDArray[np.int64]
    leaves: tuple[str, ...]
    weight: NDArray[np.float64]
    ties: str = "half"

    def __len__(self) -> int:
        return len(self.ids)

    def by_leaf(self) -> dict[str, tuple[float, float]]:
        """Summed credit and summed weight per leaf."""
        earned = np.bincount(self.leaf, weights=self.credit * self.weight, minlength=len(self.leaves))
        rows = np.bincount(self.leaf, weights=self.weight, minlength=len(self.leaves))
        return {name: (float(e), float(r)) for name, e, r in zip(self.leaves, earned, rows)}

    def section(self, prefix: str) -> NDArray[np.bool_]:
        """The rows whose leaf is `prefix` or lies under it; '' means all."""
        under = [not prefix or name == prefix or name.startswith(prefix + "/") for name in self.leaves]
        return np.asarray(under, dtype=bool)[self.leaf]

    def keep(self, rows: NDArray[np.bool_]) -> "Outcomes":
        """Only these rows."""
        return replace(
            self, ids=tuple(i for i, r in zip(self.ids, rows) if r), credit=self.credit[rows], tied=self.tied[rows],
            chance=self.chance[rows], group=self.group[rows], leaf=self.leaf[rows], weight=self.weight[rows],
        )  # fmt: skip

    def at_random(self) -> "Outcomes":
        """The same rows as a scorer that knows nothing earns them, in expectation."""
        return replace(self, credit=self.chance, tied=np.zeros_like(self.tied))


def outcomes(
    ids: Sequence[str],
    credit: ArrayLike,
    tied: ArrayLike,
    chance: ArrayLike,
    groups: Sequence | NDArray,
    leaves: Sequence[str],
    *,
    ties: str = "half",
) -> Outcomes:
    """Outcomes from columns of plain values; groups and leaves become codes.

    >>> o = outcomes(["a", "b"], [1, 0], [False, False], [0.5, 0.5], ["p", "p"], ["pairs/x", "pairs/y"])
    >>> o.by_leaf(), o.section("pairs").tolist()
    ({'pairs/x': (1.0, 1.0), 'pairs/y': (0.0, 1.0)}, [True, True])
    """
    names = tuple(sorted(set(leaves)))
    place = {name: i for i, name in enumerate(names)}
    return Outcomes(
        tuple(ids), np.asarray(credit, dtype=np.float64), np.asarray(tied, dtype=bool),
        np.asarray(chance, dtype=np.float64), codes(groups),
        np.asarray([place[name] for name in leaves], dtype=np.int64), names, np.ones(len(ids)), ties,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """One line of an evaluation: a score in 0..1, its 95 % interval over prompt groups, and its company.

    `ties` is the share of exactly tied rows, `random` the expectation of random scores, `length_only` what preferring
    the longer response earns on the same rows, `ahead` the score minus that with its own paired interval.
    """

    name: str
    kind: str
    n: int
    groups: int
    score: float
    low: float
    high: float
    ties: float
    random: float
    length_only: float | None
    ahead: tuple[float, float, float] | None = None
    interval: str = "bootstrap"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def mean(values: NDArray) -> float:
    """Mean, NaN when empty."""
    return float(values.mean()) if len(values) else float("nan")


def result(
    name: str, kind: str, found: Outcomes, length: Outcomes | None = None, *, seed: int = 0, draws: int = DRAWS
) -> Result:
    """The plain mean of the outcomes as one line; `length` holds what length alone earned on the same rows."""
    ends = mean_interval(found.credit, found.group, seed=seed, draws=draws)
    ahead = None
    if length is not None and len(found):
        gap = difference_interval(found.credit, length.credit, found.group, seed=seed, draws=draws)
        ahead = (mean(found.credit) - mean(length.credit), gap.low, gap.high)
    return Result(
        name, kind, len(found), len(np.unique(found.group)), mean(found.credit), ends.low, ends.high,
        mean(found.tied), mean(found.chance), None if length is None else mean(length.credit), ahead, ends.how,
    )  # fmt: skip


def formula_intervals(found: Outcomes, combine, *, draws: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Bootstrap interval of every number of a suite's own formula: prompt groups are drawn, the formula is redone.

    A number that a draw cannot give (all rows of a scenario missing from it) is left out of that draw.
    """
    group = codes(found.group)
    if not len(group):
        return {}
    drawn: dict[str, list[float]] = {}
    for block in weights(np.ones(int(group.max()) + 1, dtype=np.int64), draws, seed=seed):
        for w in block:
            for key, value in combine(replace(found, weight=w[group])).items():
                drawn.setdefault(key, []).append(value)
    ends = {}
    for key, values in drawn.items():
        low, high = percentiles(np.asarray(values))
        ends[key] = (float(low), float(high))
    return ends
