"""The same margin for every comparison.

loss = sp(-(d - scale)). The simplest setting of the margin estimators of arXiv 2404.04932 (spec: reward margin); Llama
2's `m` without its grades. `strength` grades it where the annotators did.

>>> import numpy as np
>>> relabel(np.array([1.0, 0.0, 0.5]), np.zeros(3), scale=0.3)[1].tolist()
[0.3, -0.3, 0.0]
"""

from numpy.typing import NDArray

from plaudit.training.relabel._sides import widened

WHEN = "step"


def relabel(target: NDArray, margin: NDArray, *, scale: float = 1.0, cap: float = 3.0) -> tuple[NDArray, NDArray]:
    """(target, margin) of the comparisons of a step."""
    return widened(target, margin, scale, cap)
