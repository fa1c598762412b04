"""Leave out the preferences that the committee believes least: weight 0, and absent from a repaired file."""

from numpy.typing import NDArray

from plaudit.signals.targets import Targets

UNLESS_TOLD = {"above": 0.5}


def treat(target: NDArray, margin: NDArray, weight: NDArray) -> Targets:
    """Weight 0; which rows is a matter of conditions, p_disagree above 0.5 when none is given.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(one, 0 * one, one).weight.tolist()
    [0.0, 0.0]
    """
    return Targets(target, margin, 0 * weight)
