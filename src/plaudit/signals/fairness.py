"""Weights that even out what a model costs different groups, from influences alone: FairIF's first stage.

Row i counted 1 + e_i times moves the loss of validation group g by S[g, i] e_i, to first order. FairIF (arXiv
2201.05759; the objective is a reconstruction) asks for

    min over e of  sum over pairs of groups (L_g + (S e)_g - L_h - (S e)_h)^2 + penalty |e|^2,

and trains again with weights clip(1 + e, 0, largest). With C the matrix that takes the mean over groups away, the sum
is G |C (L + S e)|^2, so the minimum has a closed form with a system as small as the number of groups:

    e = -A' (A A' + penalty / G)^-1 C L,   A = C S.

A large penalty gives weight 1 to every row; equal losses do too; copies of a row get equal weights. The groups of
training rows enter nowhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError


@dataclass(frozen=True)
class Fairness:
    """`tilt` e [P]; `weight` [P] = clip(1 + e, 0, largest); `predicted` [G]: losses with those weights, first order.

    `clipped`: share of rows whose weight is at one of the bounds, where the closed form no longer holds exactly.
    """

    tilt: NDArray[np.float64]
    weight: NDArray[np.float64]
    predicted: NDArray[np.float64]
    clipped: float


def fair_weights(
    loss: NDArray[np.float64], effect: NDArray[np.float64], *, penalty: float, largest: float = 2.0
) -> Fairness:
    """Weights from group losses [G] and effects [G, P].

    `penalty` is in units of `strength(effect)`: 1 leaves about half of the gap that is cheapest to close, 0 closes it
    as far as the first order can see, by the smallest tilt.

    >>> found = fair_weights(np.array([1.0, 0.0]), np.array([[-0.1, 0.0, 0.1], [0.1, 0.0, -0.1]]), penalty=0.0)
    >>> found.tilt.round(6).tolist(), found.predicted.round(6).tolist()
    ([2.5, 0.0, -2.5], [0.8, 0.2])
    >>> fair_weights(np.array([1.0, 0.0]), np.array([[-0.1, 0.1], [0.1, -0.1]]), penalty=1.0).tilt.round(6).tolist()
    [1.25, -1.25]

    Raises:
        OptionError: a negative penalty, or a `largest` below 1.
    """
    if not (penalty >= 0 and largest >= 1):
        raise OptionError(["fairness: the penalty must not be negative, and the largest weight not below 1"])
    if not len(loss) == len(effect):
        raise ValueError("one loss and one row of effects per group")
    gap = loss - loss.min(initial=np.inf)  # equal losses: exactly 0
    gap = gap - gap.mean()
    pull = effect - effect.mean(0)  # [G, P]
    # The system is singular along the mean over groups (always) and where no row can move a group (sometimes): an
    # eigenbasis leaves those directions out, which gives the least tilt.
    size, basis = np.linalg.eigh(pull @ pull.T)
    top = max(float(size.max(initial=0)), 0.0)
    held = size > 1e-10 * top
    inverse = np.where(held, 1 / np.where(held, size + penalty * top, 1.0), 0.0)
    tilt = -pull.T @ (basis @ (inverse * (basis.T @ gap)))
    weight = np.clip(1 + tilt, 0, largest)
    clipped = float((weight != 1 + tilt).mean()) if len(weight) else 0.0
    return Fairness(tilt, weight, loss + effect @ (weight - 1), clipped)


def strength(effect: NDArray[np.float64]) -> float:
    """What the penalty is measured in: G times the largest eigenvalue of A A', A the effects [G, P] less their mean.

    The penalty of the formula above is `penalty * strength(effect)`.
    """
    pull = effect - effect.mean(0)
    return float(len(effect) * np.linalg.eigvalsh(pull @ pull.T).max(initial=0))
