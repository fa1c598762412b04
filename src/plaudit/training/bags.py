"""Which rows a member of a committee learns from, and how well it does on those it did not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.seeds import generator
from plaudit.signals.noise import estimate

FEWEST = 200  # rows that are asked for a rate of wrong labels


@dataclass(frozen=True)
class Pairs:
    """Comparisons over responses [P]: rows `better` and `worse` of a view, `target`, `weight`, prompt `group`."""

    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    group: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.better)


def bootstrap(groups: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """How often each row's prompt group was drawn, with replacement: counts [P]; 0 is out of the bag.

    >>> counts = bootstrap(np.array([3, 3, 5, 9], np.uint64), 1)
    >>> bool(counts[0] == counts[1])
    True
    """
    kinds, place = np.unique(groups, return_inverse=True)
    drawn = generator(seed, "bootstrap").integers(0, len(kinds), len(kinds))
    return np.bincount(drawn, minlength=len(kinds)).astype(np.float64)[place]


def bag_of(groups: NDArray[np.uint64], seed: int, *, in_sample: bool) -> NDArray[np.float64]:
    """What each row counts in a member's lesson [P]: a bootstrap over prompt groups; in sample none is left out.

    Members in sample see every row, each group by an exponential draw of mean 1 (the Bayesian bootstrap, Rubin 1981):
    heads at the optimum of one and the same loss would all be one head.

    >>> counts = bag_of(np.array([3, 3, 5, 9], np.uint64), 1, in_sample=True)
    >>> bool((counts > 0).all()), bool(counts[0] == counts[1])
    (True, True)
    """
    if not in_sample:
        return bootstrap(groups, seed)
    kinds, place = np.unique(groups, return_inverse=True)
    return generator(seed, "bootstrap").exponential(size=len(kinds))[place]


def log_loss(margins: NDArray, target: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Weighted mean logistic loss of every column of margins [P, ...]; NaN without rows.

    >>> float(log_loss(np.zeros((3, 1)), np.ones(3), np.ones(3))[0])
    0.6931471805599453
    """
    total = weight.sum()
    if not total > 0:
        return np.full(margins.shape[1:], np.nan)
    shape = (-1, *[1] * (margins.ndim - 1))
    t, w = target.reshape(shape), weight.reshape(shape)
    z = margins.astype(np.float64)
    return (w * (t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z))).sum(0) / total


class Outside:
    """What the members of each fold say, out of their bags, of the rows they learn from."""

    def __init__(self, pairs: Pairs, seen: Sequence[NDArray]) -> None:
        self.pairs, self.seen = pairs, seen
        self.total = np.zeros((len(pairs), len(seen)))
        self.count = np.zeros((len(pairs), len(seen)))

    def hear(self, f: int, margins: NDArray, rows: NDArray[np.bool_]) -> None:
        """Margins [P] of one member in fold f, of which `rows` lay out of its bag."""
        size = float(np.sqrt(np.square(margins[rows], dtype=np.float64).mean())) if rows.any() else 0.0
        if size > 0:
            self.total[rows, f] += margins[rows] / size
            self.count[rows, f] += 1

    def doubt(self) -> NDArray[np.float64]:
        """The chance that each row's label is wrong, by each fold's own members [P, F]; 0 where they cannot tell."""
        out = np.zeros_like(self.total)
        for f in range(len(self.seen)):
            asked = self.count[:, f] > 0
            if asked.sum() >= FEWEST:
                mean = self.total[asked, f] / self.count[asked, f]
                out[asked, f] = np.nan_to_num(estimate(mean, self.pairs.target[asked], mean).p_wrong)
        return out
