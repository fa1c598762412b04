"""One score from a committee's scores: mean, worst case, lower bounds, soft minimum.

Ensembles for reward models: Coste et al. 2023 and arXiv 2401.16635. UWO takes the variance, as
the released code does, not the deviation. `soft_min` holds the others as limits: large beta gives the mean, small the
minimum, and to second order it is mean - variance / (2 beta).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError

Combine = Literal["mean", "min", "lcb", "uwo", "soft_min"]


@dataclass(frozen=True)
class Opinion:
    """A committee's words on the responses to one prompt.

    `score` [N] as combined, `spread` [N] the members' population deviation, `members` [K, N] what each of them says.
    """

    score: NDArray[np.float64]
    spread: NDArray[np.float64]
    members: NDArray[np.float64]


def opinion(votes: NDArray, how: Combine = "mean") -> Opinion:
    """From every member's score [K, N].

    >>> found = opinion(np.array([[1.0, 0.0], [3.0, 0.0]]))
    >>> found.score.tolist(), found.spread.tolist()
    ([2.0, 0.0], [1.0, 0.0])
    """
    members = np.asarray(votes, np.float64)
    return Opinion(aggregate(members, how), members.std(0), members)


def aggregate(
    scores: NDArray, how: Combine = "mean", *, k: float = 1.0, beta: float = 1.0, unbiased: bool = False
) -> NDArray[np.float64]:
    """[N] from scores [K, N].

    `mean`; `min` (WCO); `lcb`: mean - k std; `uwo`: mean - k variance; `soft_min`: -beta log mean exp(-score / beta).
    `unbiased`: divide by K - 1 (with one member the spread is 0 either way).

    >>> three = np.array([[1.0], [2.0], [6.0]])
    >>> [round(float(aggregate(three, how)[0]), 4) for how in ("mean", "min", "lcb", "uwo", "soft_min")]
    [3.0, 1.0, 0.8398, -1.6667, 1.7804]
    """
    if how not in get_args(Combine):
        raise OptionError([f"combine must be one of {', '.join(get_args(Combine))}, not {how!r}"])
    values = np.asarray(scores, np.float64)
    mean = values.mean(0)
    spread = values.var(0, ddof=1 if unbiased and len(values) > 1 else 0)
    if how == "min":
        return values.min(0)
    if how == "lcb":
        return mean - k * np.sqrt(spread)
    if how == "uwo":
        return mean - k * spread
    if how == "soft_min":
        low = values.min(0)
        return low - beta * np.log(np.exp(-(values - low) / beta).mean(0))
    return mean
