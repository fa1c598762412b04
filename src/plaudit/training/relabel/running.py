"""A margin as wide as the running mean of the model's differences: m = scale · max(0, mean over the steps before).

The exponential mean of `batch_mean` (arXiv 2404.04932; a reconstruction), begun at 0 and without correction for that,
so it warms up by itself. It looks at the steps before this one and therefore needs no second forward pass.

>>> import numpy as np
>>> relabel(np.array([1.0, 0.0]), np.zeros(2), 0.4)[1].tolist()
[0.4, -0.4]
>>> remember(0.0, np.ones(2), np.array([3.0, 1.0]), np.ones(2), decay=0.75)
0.5
>>> remember(0.7, np.array([0.5]), np.array([9.0]), np.ones(1))
0.7
"""

from numpy.typing import NDArray

from plaudit.training.relabel._sides import favoured, mean_gap, widened

WHEN = "step"


def relabel(
    target: NDArray, margin: NDArray, mean: float, *, scale: float = 1.0, cap: float = 3.0
) -> tuple[NDArray, NDArray]:
    """(target, margin) of the comparisons of a step, from the mean so far."""
    return widened(target, margin, scale * max(0.0, mean), cap)


def remember(mean: float, target: NDArray, gap: NDArray, weight: NDArray, *, decay: float = 0.9) -> float:
    """The mean after a step; one without a comparison that a label decides tells nothing."""
    if not weight[favoured(target) != 0].any():
        return mean
    return decay * mean + (1 - decay) * mean_gap(target, gap, weight)
