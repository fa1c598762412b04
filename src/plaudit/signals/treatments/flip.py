"""Swap chosen and rejected where the committee says that the label is wrong.

Secrets of RLHF, Part II (arXiv 2401.06080): flipping the lowest tenth turned an accuracy of 0.33 into 0.665.
"""

from numpy.typing import NDArray

from plaudit.signals.targets import Targets

UNLESS_TOLD = {"above": 0.5}


def treat(target: NDArray, margin: NDArray, weight: NDArray) -> Targets:
    """Target 1 - t; which rows is a matter of conditions, p_disagree above 0.5 when none is given.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(one, 0 * one, one).target.tolist()
    [0.0, 0.0]
    """
    return Targets(1 - target, margin, weight)
