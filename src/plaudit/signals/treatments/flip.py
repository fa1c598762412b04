"""Swap chosen and rejected where the committee says that the label is wrong.

Secrets of RLHF, part II, section 1.4 of our notes: flipping the lowest tenth turned an accuracy of 0.33 into 0.665.
"""

from numpy.typing import NDArray

from plaudit.signals.select import selected
from plaudit.signals.targets import Targets


def treat(
    mean: NDArray, p_disagree: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, quantile: float | None = None, above: float | None = None, below: float | None = None,
) -> Targets:  # fmt: skip
    """`quantile`: the lowest part by mean; `above`: p_disagree above this; with none of them, above 0.5.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(np.array([-1.0, 1.0]), np.array([0.7, 0.3]), one, 0 * one, one).target.tolist()
    [0.0, 1.0]
    """
    if quantile is None and above is None and below is None:
        above = 0.5
    rows = selected(mean, p_disagree, target, quantile=quantile, above=above, below=below)
    flipped = target.copy()
    flipped[rows] = 1 - target[rows]
    return Targets(flipped, margin, weight)
