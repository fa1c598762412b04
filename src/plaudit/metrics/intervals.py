"""Intervals for means over rows that depend on each other: the bootstrap over clusters, and Wilson's for tiny samples.

Rows of one prompt are not independent, so whole prompt groups are drawn, with replacement (Field & Welsh 2007, the
cluster bootstrap; RMB and RM-Bench share prompts between pairs). The number drawn is a ratio: summed credit over
summed rows, both random. A draw is a vector of multinomial weights over clusters, so no row is ever copied; clusters
with equal sums are interchangeable and are drawn together, which is exact and nearly free: clusters of pairs come in
few kinds.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from plaudit.seeds import generator

DRAWS = 2000
LEVEL = 0.95
FEW = 20  # below this many clusters percentiles of a bootstrap are far too narrow
_CELLS = 4_000_000  # weights held at a time: 32 MB


class Interval(NamedTuple):
    """Low and high end, and how they were found: "bootstrap", "wilson", or "none" (nothing to estimate from)."""

    low: float
    high: float
    how: str


def codes(clusters: Sequence | NDArray) -> NDArray[np.int64]:
    """Clusters as the integers 0..G-1: int64 [n].

    >>> codes(["b", "a", "b"]).tolist()
    [1, 0, 1]
    """
    if len(clusters) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64).reshape(-1)


def weights(counts: ArrayLike, draws: int, *, seed: int, purpose: str = "bootstrap"):
    """Yield blocks [b, T] of how often each type of cluster is drawn; `counts` [T] clusters are of each type."""
    numbers = np.asarray(counts, dtype=np.int64)
    total = int(numbers.sum())
    random = generator(seed, purpose)
    block = max(1, min(draws, _CELLS // max(len(numbers), 1)))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        yield random.multinomial(total, numbers / total, size=size).astype(np.float64)


def drawn_means(values: ArrayLike, clusters: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> NDArray:
    """The mean in each of `draws` bootstrap samples of clusters: float [draws], or [draws, k] for `values` [n, k]."""
    table = np.asarray(values, dtype=np.float64)
    columns = table.reshape(len(table), -1)
    group = codes(np.asarray(clusters))
    size = np.bincount(group).astype(np.float64)
    sums = np.stack([np.bincount(group, weights=c) for c in columns.T], axis=1)
    types, count = np.unique(np.column_stack([sums, size]), axis=0, return_counts=True)
    totals = np.concatenate([w @ types for w in weights(count, draws, seed=seed)])
    means = totals[:, :-1] / totals[:, -1:]
    return means if table.ndim == 2 else means[:, 0]


def percentiles(drawn: NDArray, *, level: float = LEVEL) -> tuple[NDArray, NDArray]:
    """Both ends of the percentile interval of bootstrap draws [B, ...]."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def mean_interval(
    values: ArrayLike, clusters: ArrayLike, *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Interval of the mean of `values` [n] in 0..1, whole clusters drawn.

    Fewer than 20 clusters, or values that are all 0 or all 1, where a bootstrap would claim certainty: Wilson's with as
    many trials as there are clusters.

    >>> mean_interval([1, 1, 0, 1] * 50, list(range(200))).how, mean_interval([1.0] * 30, list(range(30))).high
    ('bootstrap', 1.0)
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.size == 0:
        return Interval(float("nan"), float("nan"), "none")
    group = codes(np.asarray(clusters))
    found = int(group.max()) + 1
    if found < FEW or rows.min() == rows.max():
        return Interval(*wilson(float(rows.mean()) * found, found, level=level), "wilson")
    low, high = percentiles(drawn_means(rows, group, draws=draws, seed=seed), level=level)
    return Interval(float(low), float(high), "bootstrap")


def difference_interval(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike, *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Interval of mean(first) - mean(second) for two scorers on the SAME rows [n], credits in 0..1; what both share
    cancels.

    Fewer than 20 clusters, or the same gap on every row: as for one mean, Wilson's, of the gap brought to 0..1. Equal
    credits on every row leave no doubt: (0, 0).

    >>> same = [1, 0] * 50
    >>> difference_interval(same, same, list(range(100)))[:2]
    (0.0, 0.0)
    >>> [round(end, 2) for end in difference_interval([1, 1, 1], [0, 1, 0], [0, 1, 2])[:2]]
    [-0.38, 0.96]
    """
    gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if gap.size == 0:
        return Interval(float("nan"), float("nan"), "none")
    if gap.any() and (gap.min() == gap.max() or len(np.unique(codes(np.asarray(clusters)))) < FEW):
        one = mean_interval((gap + 1) / 2, clusters, level=level)
        return Interval(2 * one.low - 1, 2 * one.high - 1, one.how)
    low, high = percentiles(drawn_means(gap, clusters, draws=draws, seed=seed), level=level)
    return Interval(float(low), float(high), "bootstrap")


def statistic_interval(
    statistic: Callable[[NDArray], float],
    clusters: ArrayLike,
    *,
    level: float = LEVEL,
    draws: int = 500,
    seed: int = 0,
) -> Interval:
    """The same for any statistic of row indices, such as a rank correlation; rows are gathered, so it is slower.

    >>> statistic_interval(lambda rows: float(rows.mean()), list(range(100)), draws=200).how
    'bootstrap'
    """
    group = codes(np.asarray(clusters))
    if group.size == 0:
        return Interval(float("nan"), float("nan"), "none")
    order = np.argsort(group, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(group))[:-1])
    random = generator(seed, "bootstrap statistic")
    drawn = [
        statistic(np.concatenate([rows[i] for i in random.integers(0, len(rows), len(rows))])) for _ in range(draws)
    ]
    kept = np.asarray([d for d in drawn if d == d])  # a draw without variation has no correlation
    if kept.size == 0:
        return Interval(float("nan"), float("nan"), "none")
    low, high = percentiles(kept, level=level)
    return Interval(float(low), float(high), "bootstrap")


def wilson(wins: float, trials: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval for a share (Wilson 1927); ties may have made `wins` a fraction.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if trials <= 0:
        return float("nan"), float("nan")
    z = float(ndtri((1 + level) / 2))
    share = wins / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * (share * (1 - share) / trials + z * z / (4 * trials * trials)) ** 0.5
    low = 0.0 if wins <= 0 else max(0.0, middle - half)
    high = 1.0 if wins >= trials else min(1.0, middle + half)
    return low, high
