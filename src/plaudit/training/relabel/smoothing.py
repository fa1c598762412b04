"""Iterative data smoothing: after every epoch each label moves a little towards what the model believes.

t ← (1 - beta)·t + beta·σ(d), with the difference d that the model gave when it last trained on the comparison. Zhu et
al. 2024 (arXiv 2401.16335). A pair that was compared once drives its difference to infinity under cross-entropy; here
its label meets it half way. Labels start as they came, persist over epochs, are saved with the position, and are
exported at the end.

In tabular form, for one pair of arms with n comparisons won with rate m0, step size a and updates of both at once,
beta·d + a·n·m is conserved, so the limit solves σ(d) = m0 - beta·d / (a·n) (`limit`): many comparisons give the maximum
likelihood, few give 0. It is exact when an epoch is one step: the differences are those before the step, the
simultaneous variant. With several steps an epoch, each difference is the one its own step saw. The loss of a step is a
mean, so with batches of B the a·n of the formula is the learning rate times the number of comparisons, divided by B.
All of this is plain gradient descent; a run with AdamW moves the same way, but how far is not told by the formula.

>>> import numpy as np
>>> relabel(np.array([1.0, 0.5]), np.zeros(2), np.array([0.0, 4.0]), beta=0.1)[0].round(6).tolist()
[0.95, 0.5]
>>> round(float(limit(0.1, 0.1, 1, 1.0)), 6)
0.401058
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

WHEN = "epoch"


def relabel(target: NDArray, margin: NDArray, gap: NDArray, *, beta: float = 0.1) -> tuple[NDArray, NDArray]:
    """(target, margin) for the next epoch. Even labels are ties and stay; a gap that is NaN was not seen and stays."""
    seen = np.isfinite(gap) & (target != 0.5)
    moved = (1 - beta) * target + beta * expit(np.where(seen, gap, 0.0))
    return np.where(seen, moved, target), margin


def tabular(
    d: float, m: float, *, step: float, beta: float, n: float, epochs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The paths of difference and mean label, [epochs + 1] each, of one pair of arms under simultaneous updates.

    >>> d, m = tabular(0.0, 1.0, step=0.1, beta=0.1, n=1, epochs=3)
    >>> bool(np.ptp(0.1 * d + 0.1 * 1 * m) < 1e-12)
    True
    """
    path = np.empty((2, epochs + 1))
    path[:, 0] = d, m
    for t in range(epochs):
        d, m = path[:, t]
        wins = expit(d)
        path[:, t + 1] = d + step * n * (m - wins), (1 - beta) * m + beta * wins
    return path[0], path[1]


def limit(step: float, beta: float, n: float, rate: float, *, start: float = 0.0) -> float:
    """Where the difference settles: σ(d) = rate - beta·(d - start) / (step·n); needs step·n < 8.

    >>> round(float(limit(0.001, 0.001, 1000, 0.7)), 6)
    0.843285
    """
    return float(brentq(lambda d: expit(d) - rate + beta * (d - start) / (step * n), start - 1e4, start + 1e4))
