"""Which side a label favours, and a margin added on that side."""

import numpy as np
from numpy.typing import NDArray


def favoured(target: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where `better` is likelier to win, -1 where `worse` is, 0 where neither.

    >>> favoured(np.array([1.0, 0.5, 0.1])).tolist()
    [1.0, 0.0, -1.0]
    """
    return np.sign(target - 0.5)


def widened(target: NDArray, margin: NDArray, extra: NDArray | float, cap: float) -> tuple[NDArray, NDArray]:
    """(target, margin) with `extra`, held within ±`cap`, asked of the favoured side beside the margin that is there.

    >>> widened(np.array([1.0, 0.0]), np.zeros(2), np.array([0.5, 9.0]), 2.0)[1].tolist()
    [0.5, -2.0]
    """
    return target, margin + favoured(target) * np.clip(extra, -cap, cap)


def mean_gap(target: NDArray, gap: NDArray, weight: NDArray) -> float:
    """Weighted mean of the differences in favour of the label, even labels left out; 0 where there are none.

    >>> mean_gap(np.array([1.0, 0.0, 0.5]), np.array([2.0, 1.0, 9.0]), np.ones(3))
    0.5
    """
    side = favoured(target)
    total = float(weight[side != 0].sum())
    return float((weight * side * gap).sum() / total) if total else 0.0
