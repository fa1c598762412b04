"""A margin as wide as the model's own mean difference on this batch: m = scale · max(0, mean d).

After the aim of *Reward Margin* (arXiv 2404.04932), whose equations could not be read: a reconstruction. The mean is
taken over the whole step, whatever micro-batches it is cut into, in favour of the labels and weighted as the loss is;
it is a number, no gradient passes through it. Such margins have no fixed point: each step asks for more than the last,
so they are capped, and want weight decay. It costs a forward pass more when a step has several micro-batches;
`running` does not.

>>> import numpy as np
>>> relabel(np.array([1.0, 1.0]), np.zeros(2), np.array([3.0, -1.0]), np.ones(2))[1].tolist()
[1.0, 1.0]
"""

from numpy.typing import NDArray

from plaudit.training.relabel._sides import mean_gap, widened

WHEN = "step"


def relabel(
    target: NDArray, margin: NDArray, gap: NDArray, weight: NDArray, *, scale: float = 1.0, cap: float = 3.0
) -> tuple[NDArray, NDArray]:
    """(target, margin) of the comparisons of a step."""
    return widened(target, margin, scale * max(0.0, mean_gap(target, gap, weight)), cap)
