"""Weigh every preference by how sure the committee is of it, whichever way.

Weight |1 - 2 p| ** power: 0 where it has no opinion, 1 where it is certain. With `by="agreement"`: 1 - p, so that
labels it calls wrong count less than ambiguous ones.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError
from plaudit.signals.targets import Targets


def treat(
    p_disagree: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, by: Literal["agreement", "certainty"] = "agreement", power: float = 1.0, floor: float = 0.0,
) -> Targets:  # fmt: skip
    """Weight times max(floor, (1 - p or |1 - 2 p|) ** power).

    >>> one = np.ones(2)
    >>> treat(np.array([0.75, 0.25]), one, 0 * one, one).weight.tolist()
    [0.25, 0.75]
    """
    if by not in ("agreement", "certainty"):
        raise OptionError([f"weight: by must be agreement or certainty, not {by!r}"])
    agrees = np.where(target < 0.5, p_disagree, 1 - p_disagree)  # after a flip the committee agrees by p
    trust = agrees if by == "agreement" else np.abs(1 - 2 * p_disagree)
    return Targets(target, margin, weight * np.maximum(trust**power, floor))
