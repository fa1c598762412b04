"""Label smoothing: believe a label by 1 - alpha, everywhere or only where the committee doubts it.

Secrets of RLHF, Part II (arXiv 2401.06080). alpha is not stated there; 0.2 is read off the loss its figure settles at
(0.50 = the entropy of 0.2).
"""

from numpy.typing import NDArray

from plaudit.signals.select import refuse_outside, selected
from plaudit.signals.targets import Targets


def treat(
    mean: NDArray, p_disagree: NDArray, p_wrong: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, alpha: float = 0.2, wrong: float | None = None, quantile: float | None = None, above: float | None = None,
    below: float | None = None,
) -> Targets:  # fmt: skip
    """Target (1 - alpha) t + alpha (1 - t) on the selected rows; all of them when no condition is given.

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(np.array([-1.0, 1.0]), np.array([0.7, 0.3]), 0 * one, one, 0 * one, one, below=0.0).target.tolist()
    [0.8, 1.0]
    """
    refuse_outside(alpha=alpha)
    rows = selected(mean, p_disagree, p_wrong, target, wrong=wrong, quantile=quantile, above=above, below=below)
    soft = target.copy()
    soft[rows] = (1 - alpha) * target[rows] + alpha * (1 - target[rows])
    return Targets(soft, margin, weight)
