"""Weigh every preference by how sure the committee is of it, whichever way.

`by="agreement"`: 1 - p_disagree, so that labels it calls wrong count less than ambiguous ones; `"right"`: 1 - p_wrong,
which leaves all weights at 1 where no labels seem wrong; `"certainty"`: |1 - 2 p_disagree|, 0 where it has no opinion.
Ties, which have no side to agree with, keep their weight.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError
from plaudit.signals.select import UNTOLD, refuse_outside
from plaudit.signals.targets import Targets


def treat(
    p_disagree: NDArray, p_wrong: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, by: Literal["agreement", "certainty", "right"] = "agreement", power: float = 1.0, floor: float = 0.0,
) -> Targets:  # fmt: skip
    """Weight times max(floor, trust ** power), trust as `by` says.

    >>> one = np.ones(2)
    >>> treat(np.array([0.75, 0.25]), 0 * one, one, 0 * one, one).weight.tolist()
    [0.25, 0.75]
    """
    refuse_outside(floor=floor)
    if power < 0:
        raise OptionError([f"power must not be negative, not {power:g}"])
    if by == "agreement":
        trust = np.where(target < 0.5, p_disagree, 1 - p_disagree)  # after a flip the committee agrees by p
    elif by == "certainty":
        trust = np.abs(1 - 2 * p_disagree)
    elif by == "right":
        if len(p_wrong) and np.isnan(p_wrong).all():
            raise OptionError(["weight:by=right needs p_wrong, which this audit left empty"], advice=UNTOLD)
        told = np.nan_to_num(p_wrong)  # where it is empty the label is taken at its word
        trust = np.where(target < 0.5, told, 1 - told)
    else:
        raise OptionError([f"weight: by must be agreement, right or certainty, not {by!r}"])
    trusted = np.maximum(trust**power, floor)
    return Targets(target, margin, weight * np.where(target == 0.5, 1.0, trusted))
