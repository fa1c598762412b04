"""Soft labels: believe a pair as far as the committee does.

The target becomes the committee's chance of the label's side, 1 - p_disagree, mixed with the label by `strength`.
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.select import refuse_outside
from plaudit.signals.targets import Targets


def treat(p_disagree: NDArray, target: NDArray, margin: NDArray, weight: NDArray, *, strength: float = 1.0) -> Targets:
    """Target strength * (1 - p_disagree) + (1 - strength) * t; ties stay ties.

    >>> one = np.ones(2)
    >>> treat(np.array([0.75, 0.25]), one, 0 * one, one, strength=0.5).target.tolist()
    [0.625, 0.875]
    """
    refuse_outside(strength=strength)
    belief = strength * (1 - p_disagree) + (1 - strength) * target
    return Targets(np.where(target == 0.5, target, belief), margin, weight)
