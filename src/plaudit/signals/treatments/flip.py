"""Swap chosen and rejected where the committee says that the label is wrong.

Secrets of RLHF, Part II (arXiv 2401.06080): flipping the lowest tenth turned an accuracy of 0.33 into 0.665.
"""

from numpy.typing import NDArray

from plaudit.signals.select import selected
from plaudit.signals.targets import Targets


def treat(
    mean: NDArray, p_disagree: NDArray, p_wrong: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, wrong: float | None = None, quantile: float | None = None, above: float | None = None,
    below: float | None = None,
) -> Targets:  # fmt: skip
    """`wrong`: p_wrong above this; `quantile`: the lowest part by mean; `above`: p_disagree above this; `below`: mean
    below this. With none of them, p_disagree above 0.5.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(np.array([-1.0, 1.0]), np.array([0.7, 0.3]), 0 * one, one, 0 * one, one).target.tolist()
    [0.0, 1.0]
    """
    if quantile is None and above is None and below is None and wrong is None:
        above = 0.5
    rows = selected(mean, p_disagree, p_wrong, target, wrong=wrong, quantile=quantile, above=above, below=below)
    flipped = target.copy()
    flipped[rows] = 1 - target[rows]
    return Targets(flipped, margin, weight)
