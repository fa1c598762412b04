"""A margin as large as the source's graded strength: `scale` times the grade.

Llama 2 (arXiv 2307.09288, eq. 2) and the margin loss of HelpSteer2-Preference (arXiv 2410.01257). Rows without a grade
get none. The committee's mean is another grade: `plaudit repair` writes it as the `margin` column, which is read
anyway.

>>> import numpy as np
>>> relabel(np.array([1.0, 0.0]), np.zeros(2), np.array([2.0, 1.0]), scale=0.5)[1].tolist()
[1.0, -0.5]
"""

from numpy.typing import NDArray

from plaudit.training.relabel._sides import widened

WHEN = "step"


def relabel(
    target: NDArray, margin: NDArray, strength: NDArray, *, scale: float = 1.0, cap: float = 3.0
) -> tuple[NDArray, NDArray]:
    """(target, margin) of the comparisons of a step."""
    return widened(target, margin, scale * strength, cap)
