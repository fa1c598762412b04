"""A margin that grows with the model's confidence in each comparison: m = scale · (2σ(|d|) - 1) · max(0, mean d).

The per-comparison form of `batch_mean`, after *Reward Margin* (arXiv 2404.04932): a reconstruction. Comparisons the
model cannot tell apart get none; those it is sure of, either way, get nearly the mean difference of the step. No
gradient.

>>> import numpy as np
>>> relabel(np.array([1.0, 1.0]), np.zeros(2), np.array([4.0, 0.0]), np.ones(2))[1].round(3).tolist()
[1.928, 0.0]
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.training.relabel._sides import mean_gap, widened

WHEN = "step"


def relabel(
    target: NDArray, margin: NDArray, gap: NDArray, weight: NDArray, *, scale: float = 1.0, cap: float = 3.0
) -> tuple[NDArray, NDArray]:
    """(target, margin) of the comparisons of a step."""
    sure = np.tanh(np.abs(gap) / 2)  # 2σ(x) - 1
    return widened(target, margin, scale * sure * max(0.0, mean_gap(target, gap, weight)), cap)
