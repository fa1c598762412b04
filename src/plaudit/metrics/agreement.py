"""Agreement of scores with ratings: Spearman's rank correlation with an interval over prompt groups."""

import numpy as np
from numpy.typing import ArrayLike

from plaudit.metrics.intervals import Interval, statistic_interval


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
    """95 % bootstrap interval of `spearman`, whole clusters drawn; above 20,000 rows fewer draws, never below 60."""
    first, second = np.asarray(scores), np.asarray(ratings)
    draws = min(draws, max(60, 6_000_000 // max(len(first), 1)))
    return statistic_interval(lambda rows: spearman(first[rows], second[rows]), clusters, draws=draws, seed=seed)
