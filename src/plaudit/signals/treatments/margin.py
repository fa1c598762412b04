"""Adaptive margin: ask for a difference as large as the committee's mean.

Secrets of RLHF, Part II (arXiv 2401.06080): -log sigmoid(d - mean), inside the log-sigmoid. For a negative mean the
paper leaves the sign open, so `mode` names it: `signed` uses the mean as it is; `abs_after_flip` its size, in the
direction that the label has after earlier treatments; `clamp0` the mean in that direction, never below 0.

The paper's members are reward models with differences of several units; members here are each divided by their typical
difference, so a mean is 1 where all are about as sure as they usually are, however good they are. `scale` stretches it.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError
from plaudit.signals.targets import Targets, turned


def treat(
    mean: NDArray, label: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, mode: Literal["signed", "abs_after_flip", "clamp0"] = "signed", scale: float = 1.0,
) -> Targets:  # fmt: skip
    """Margin `scale` * mean as `mode` says, in the orientation the rows came in; ties (`label` 1/2) get none.

    >>> one = np.ones(2)
    >>> treat(np.array([-1.0, 2.0]), one, np.array([0.0, 1.0]), 0 * one, one, mode="clamp0").margin.tolist()
    [-1.0, 2.0]
    """
    sign = turned(target)
    if mode == "signed":
        wanted = mean
    elif mode == "abs_after_flip":
        wanted = sign * np.abs(mean)
    elif mode == "clamp0":
        wanted = sign * np.maximum(sign * mean, 0)
    else:
        raise OptionError([f"margin: mode must be signed, abs_after_flip or clamp0, not {mode!r}"])
    return Targets(target, np.where(label == 0.5, 0.0, scale * wanted), weight)
