"""Flip what is more likely wrong than right: the default of `plaudit repair`.

By `p_wrong`, where the noise model could tell the rate of wrong labels; where it could not, by `p_disagree`, and only
where that is high. A set whose rate is told to be near 0 is left as it is. Chosen on development seeds of the two
worlds (benchmarks/repair.py).
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.targets import Targets


def treat(
    p_disagree: NDArray, p_wrong: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, wrong: float = 0.5, above: float = 0.65,
) -> Targets:  # fmt: skip
    """`wrong`: flip above this p_wrong; `above`: above this p_disagree where p_wrong is empty (NaN). Ties stay ties.

    >>> one = np.ones(3)
    >>> treat(np.array([0.7, 0.7, 0.3]), np.array([np.nan, 0.1, 0.6]), one, 0 * one, one).target.tolist()
    [0.0, 1.0, 0.0]
    """
    rows = np.where(np.isnan(p_wrong), p_disagree > above, np.nan_to_num(p_wrong) > wrong) & (target != 0.5)
    return Targets(np.where(rows, 1 - target, target), margin, weight)
