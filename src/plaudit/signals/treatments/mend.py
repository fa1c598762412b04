"""Flip what is wrong, soften what is doubtful, give margin to what is strong: the default of `plaudit repair`.

Where the noise model could tell the rate of wrong labels, rows that are likely wrong (`p_wrong`) are flipped, and
nothing else is done: a set whose rate is told to be near 0 is left as it is. Where it could not, only a high
`p_disagree` flips; other rows that the committee sees the other way round are believed by 1 - alpha, and every row asks
for the committee's own difference. Chosen on development seeds of the two worlds (benchmarks/repair.py).
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.select import refuse_outside
from plaudit.signals.targets import Targets


def treat(
    mean: NDArray, p_disagree: NDArray, p_wrong: NDArray, target: NDArray, margin: NDArray, weight: NDArray,
    *, wrong: float = 0.7, above: float = 0.65, alpha: float = 0.2, scale: float = 1.0,
) -> Targets:  # fmt: skip
    """`wrong`: flip above this p_wrong. Where p_wrong is empty (NaN): flip above `above` in p_disagree, believe others
    with a negative mean by 1 - `alpha`, margin `scale` * mean. Ties stay ties.

    >>> one = np.ones(3)
    >>> found = treat(np.array([-2.0, -0.5, 1.5]), np.array([0.7, 0.6, 0.3]), np.nan * one, one, 0 * one, one)
    >>> found.target.tolist(), found.margin.tolist()
    ([0.0, 0.8, 1.0], [-2.0, -0.5, 1.5])
    >>> treat(-one, 0.7 * one, np.array([0.1, 0.8, 0.4]), one, 0 * one, one).target.tolist()
    [1.0, 0.0, 1.0]
    """
    refuse_outside(wrong=wrong, above=above, alpha=alpha)
    tie, untold = target == 0.5, np.isnan(p_wrong)
    flipped = np.where(untold, p_disagree > above, np.nan_to_num(p_wrong) > wrong) & ~tie
    doubted = untold & ~flipped & (mean < 0) & ~tie
    believed = np.where(flipped, 1 - target, np.where(doubted, (1 - alpha) * target + alpha * (1 - target), target))
    return Targets(believed, np.where(untold & ~tie, scale * mean, margin), weight)
