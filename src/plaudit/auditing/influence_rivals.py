"""What FairIF is measured against, for the same linear heads: balanced groups and group-DRO.

Both read the groups of training rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.influence import Head, Rows, fit_head
from plaudit.metrics.disparity import by_group


def balanced(kind: NDArray) -> NDArray[np.float64]:
    """Weights that give every group the same total [P], mean 1.

    >>> balanced(np.array(["a", "a", "a", "b"])).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    _, code, count = np.unique(np.asarray(kind).astype(str), return_inverse=True, return_counts=True)
    code = code.reshape(-1)
    found: NDArray[np.float64] = len(code) / (len(count) * count[code])
    return found


class Robust(NamedTuple):
    """The head, the share of every group [G] (names sorted), the most that its worst group is from the optimum."""

    head: Head
    share: NDArray[np.float64]
    gap: float


def group_dro(rows: Rows, kind: NDArray, *, ridge: float, rounds: int = 60, tolerance: float = 1e-3) -> Robust:
    """The head whose worst group is best: min over w, max over shares q of sum_g q_g L_g(w) + ridge |w|^2 / 2.

    Group-DRO (Sagawa et al. 2020, arXiv 1911.08731) with its exponentiated step on q, but with the head solved to its
    optimum each round, so there is no step size for w. The worst group's loss less the mean under q bounds the
    distance from the optimum; the round with the smallest bound is kept.
    """
    names, code = np.unique(np.asarray(kind).astype(str), return_inverse=True)
    code = code.reshape(-1)
    size = np.bincount(code, weights=rows.weight, minlength=len(names))
    share = size / size.sum()
    head = fit_head(rows, ridge)
    best = Robust(head, share, np.inf)
    rate = 5.0
    for _ in range(rounds):
        head = fit_head(rows.weighing(rows.weight * (share / size)[code] * len(rows)), ridge, start=head)
        loss = by_group(rows.weight * head.losses(rows), code, len(names)) * np.bincount(code) / size
        gap = float(loss.max() - share @ loss)
        if gap < best.gap:
            best = Robust(head, share, gap)
        elif rate > 0.05:
            rate *= 0.7  # it oscillates: smaller steps
        if gap < tolerance:
            break
        share = share * np.exp(rate * (loss - loss.max()))
        share = np.maximum(share / share.sum(), 1e-6)
        share = share / share.sum()
    return best
