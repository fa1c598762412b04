"""Weigh every preference so that groups end up with more equal losses.

The column `fair_weight` comes from an audit that measured influence over groups (FairIF, arXiv 2201.05759): above 1
where more of a row brings the groups together, below 1 where it drives them apart.
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError
from plaudit.signals.targets import Targets


def treat(
    fair_weight: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, strength: float = 1.0, largest: float = 2.0,
) -> Targets:  # fmt: skip
    """Weight times clip(1 + strength (fair_weight - 1), 0, largest).

    >>> one = np.ones(3)
    >>> treat(np.array([0.5, 1.0, 3.0]), one, 0 * one, one).weight.tolist()
    [0.5, 1.0, 2.0]
    """
    if not (strength >= 0 and largest >= 1):
        raise OptionError(["fairif: strength must not be negative, and largest not below 1"])
    return Targets(target, margin, weight * np.clip(1 + strength * (fair_weight - 1), 0, largest))
