"""Label smoothing: believe a label by 1 - alpha, everywhere or, by a condition, only where the committee doubts it.

Secrets of RLHF, Part II (arXiv 2401.06080). alpha is not stated there; 0.2 is read off the loss its figure settles at
(0.50 = the entropy of 0.2).
"""

from numpy.typing import NDArray

from plaudit.signals.select import refuse_outside
from plaudit.signals.targets import Targets


def treat(target: NDArray, margin: NDArray, weight: NDArray, *, alpha: float = 0.2) -> Targets:
    """Target (1 - alpha) t + alpha (1 - t).

    >>> import numpy as np
    >>> one = np.ones(2)
    >>> treat(one, 0 * one, one).target.tolist()
    [0.8, 0.8]
    """
    refuse_outside(alpha=alpha)
    return Targets((1 - alpha) * target + alpha * (1 - target), margin, weight)
