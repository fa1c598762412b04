"""Agreement of scores with ratings: Spearman's rank correlation with an interval over prompt groups."""

import numpy as np
from numpy.typing import ArrayLike

from plaudit.metrics.intervals import FEW, Interval, codes, statistic_interval


def spearman(scores: ArrayLike, ratings: ArrayLike) -> float:
    """Spearman's rank correlation; NaN when either side does not vary.

    >>> round(spearman([1, 2, 3, 4], [10, 20, 20, 50]), 4)
    0.9487
    """
    from scipy.stats import rankdata

    first, second = rankdata(np.asarray(scores)), rankdata(np.asarray(ratings))
    if len(first) < 2 or first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def spearman_interval(
    scores: ArrayLike, ratings: ArrayLike, clusters: ArrayLike, *, draws: int = 300, seed: int = 0
) -> Interval:
    """95 % bootstrap interval of `spearman`, whole clusters drawn; above 20,000 rows fewer draws, never below 60.

    Fewer than 20 clusters, or draws that all agree, where a bootstrap would claim certainty: Fisher's with as many
    observations as there are clusters.

    >>> [round(float(end), 2) for end in spearman_interval([1, 2, 3, 4, 5], [1, 2, 3, 5, 4], [0, 1, 2, 3, 4])[:2]]
    [-0.28, 0.99]
    """
    first, second = np.asarray(scores), np.asarray(ratings)
    draws = min(draws, max(60, 6_000_000 // max(len(first), 1)))
    found = statistic_interval(lambda rows: spearman(first[rows], second[rows]), clusters, draws=draws, seed=seed)
    groups = len(np.unique(codes(np.asarray(clusters))))
    if found.how == "none" or (groups >= FEW and found.high - found.low > 1e-9):
        return found
    return Interval(*_fisher(spearman(first, second), groups), "fisher")


def _fisher(value: float, n: int) -> tuple[float, float]:
    """Both ends by Fisher's transformation; 1 is taken for 1 - 1/n: nobody knows a correlation to the digit."""
    most = 1 - 1 / n
    middle, half = np.arctanh(np.clip(value, -most, most)), 1.96 / np.sqrt(n - 3) if n > 3 else np.inf
    return min(float(np.tanh(middle - half)), value), max(float(np.tanh(middle + half)), value)
