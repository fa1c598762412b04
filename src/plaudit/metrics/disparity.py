"""How unequal a number is between groups: annotators, topics, pairs whose chosen answer is the longer one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def squared_gaps(values: ArrayLike) -> float:
    """Sum over pairs of groups of the squared difference: what FairIF lowers (arXiv 2201.05759).

    For G groups it is G times the sum of squared distances from their plain mean; 0 for fewer than two.

    >>> squared_gaps([1.0, 2.0, 3.0])
    6.0
    """
    v = np.asarray(values, np.float64)
    return float(len(v) * ((v - v.mean()) ** 2).sum()) if len(v) else 0.0


def widest_gap(values: ArrayLike) -> float:
    """Largest value minus smallest; 0 for fewer than two.

    >>> widest_gap([0.5, 0.75, 0.25])
    0.5
    """
    v = np.asarray(values, np.float64)
    return float(v.max() - v.min()) if len(v) else 0.0


def by_group(values: ArrayLike, code: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """Mean of `values` [V] in each of the groups 0..groups-1 [G]; rows of code -1 take no part, no rows give NaN.

    >>> by_group([1, 3, 5, 9], np.array([0, 0, 1, -1]), 2).tolist()
    [2.0, 5.0]
    """
    inside = code >= 0
    v = np.asarray(values, np.float64)[inside]
    count = np.bincount(code[inside], minlength=groups)
    total = np.bincount(code[inside], weights=v, minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
