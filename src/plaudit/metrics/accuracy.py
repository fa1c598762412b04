"""Accuracy with ties: what one row earns, and what a scorer that knows nothing would earn on it.

Three rules for an exact tie: `loss` (a strict win is asked for: most suites), `half` (the expectation of breaking the
tie at random: our default), `win`. Whatever the rule, the tie rate is reported beside the score: with coarse judges
more than half of the rows can be tied, and then the score measures granularity.
"""

from collections.abc import Sequence
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plaudit.errors import DataError, OptionError

Ties = Literal["loss", "half", "win"]
_WORTH = {"loss": 0.0, "half": 0.5, "win": 1.0}


def worth(ties: Ties) -> float:
    """What a tied pair earns under a rule.

    >>> worth("half")
    0.5
    """
    if ties not in _WORTH:
        raise OptionError([f"unknown rule for ties {ties!r}"], advice="known: " + ", ".join(_WORTH))
    return _WORTH[ties]


def refuse_nan(scores: ArrayLike, names: Sequence[str] | None = None) -> None:
    """A NaN is an error that names its row, never silently a loss. `scores` is [n] or [n, m], `names` has n entries.

    >>> refuse_nan([0.1, float("nan")], ["a.jsonl:1", "a.jsonl:2"])
    Traceback (most recent call last):
        ...
    plaudit.errors.DataError: a.jsonl:2: the score is not a number
      mend the scorer, or leave the row out
    """
    values = np.asarray(scores, dtype=np.float64)
    bad = np.isnan(values.reshape(len(values), -1)).any(axis=1) if values.size else np.zeros(0, dtype=bool)
    if bad.any():
        row = int(bad.argmax())
        where = names[row] if names is not None else f"row {row}"
        raise DataError(where, "the score is not a number", advice="mend the scorer, or leave the row out")


def pair_credit(
    chosen: ArrayLike, rejected: ArrayLike, *, ties: Ties = "half", names: Sequence[str] | None = None
) -> tuple[NDArray, NDArray]:
    """What each pair earns and whether it is tied: float [P] and bool [P], from the scores [P] of both sides.

    >>> credit, tied = pair_credit([2, 1, 0], [1, 1, 1])
    >>> credit.tolist(), tied.tolist()
    ([1.0, 0.5, 0.0], [False, True, False])
    """
    better, worse = np.asarray(chosen, dtype=np.float64), np.asarray(rejected, dtype=np.float64)
    if better.shape != worse.shape:
        raise ValueError(f"{better.shape} scores of the chosen, {worse.shape} of the rejected")
    refuse_nan(better, names)
    refuse_nan(worse, names)
    tied = better == worse
    return np.where(tied, worth(ties), (better > worse).astype(np.float64)), tied


def list_credit(
    scores: ArrayLike, ranks: Sequence[int], *, ties: Ties = "loss", name: str = "list"
) -> tuple[float, bool]:
    """What one list earns, and whether its top is tied: the best beats EVERY other strictly.

    With several responses of rank 0 each of them has to. A tie between the weakest best and m others earns 0 (`loss`),
    1 / (1 + m) (`half`: the chance of drawing the best among the tied) or 1 (`win`). Equal ranks only: an error.

    >>> list_credit([3, 1, 2], [0, 1, 1]), list_credit([2, 2, 1], [0, 1, 2])
    ((1.0, False), (0.0, True))
    >>> list_credit([2, 2, 1], [0, 1, 2], ties="half")
    (0.5, True)
    """
    values, order = np.asarray(scores, dtype=np.float64), np.asarray(ranks)
    if values.shape != order.shape:
        raise DataError(name, f"{values.size} scores for {order.size} responses")
    refuse_nan(values[None], [name])
    best = order == order.min()
    if best.all():
        raise DataError(name, "all responses have one rank, so none can win")
    lowest, others = values[best].min(), values[~best]
    tied = bool(lowest == others.max())
    if not tied:
        return float(lowest > others.max()), False
    rule = worth(ties)
    return (1 / (1 + int((others == lowest).sum())) if rule == 0.5 else rule), True


def list_chance(ranks: Sequence[int]) -> float:
    """Expectation of `list_credit` for a scorer that draws its scores at random, without ties.

    With w winners among n responses all of them stand on top with probability 1 / (n choose w); for one winner 1 / n.

    >>> list_chance([0, 1, 1]) == 1 / 3, list_chance([0, 0, 1, 2]) == 1 / 6
    (True, True)
    """
    winners = sum(r == min(ranks) for r in ranks)
    return 1 / comb(len(ranks), winners)
