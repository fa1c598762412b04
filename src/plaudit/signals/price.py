"""Price every preference: strength, spread, share of votes, decile, the chance of disagreement, a verdict.

Secrets of RLHF in LLMs, Part II (arXiv 2401.06080): strength is the mean over members of the score
difference, its spread the population deviation. `p_disagree`, the verdicts and the cross-fitting are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.votes import VERDICTS, Signals, Votes


@dataclass(frozen=True)
class Thresholds:
    """Where verdicts begin, on `p_disagree`: wrong from `wrong`, ambiguous from `ambiguous`, strong up to `strong`.

    Reconstruction: the paper names the classes and gives no numbers.
    """

    wrong: float = 0.65
    ambiguous: float = 0.4
    strong: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.strong < self.ambiguous <= self.wrong <= 1:
            raise ValueError("thresholds must rise: 0 <= strong < ambiguous <= wrong <= 1")


THRESHOLDS = Thresholds()
ORDERED = 1e-9  # of votes that know nothing: a p_disagree of 1/2 that still keeps their order


def price(votes: Votes, *, thresholds: Thresholds = THRESHOLDS) -> Signals:
    """Signals of every comparison.

    Columns: `margins` [P, K], `n_members`, `mean`, `std` (ddof 0), `vote_share` (members that agree with the label; a
    vote of exactly 0 counts half), `decile` (1 lowest mean to 10; equal means stay in row order), `p_disagree`,
    `verdict`. Facts: `temperature` per fold, `thresholds`, `member_names`.

    >>> v = Votes(np.array([[1.0, 2.0, 3.0]]), np.zeros(1, int), np.ones(1), ("a", "b", "c"))
    >>> s = price(v)
    >>> float(s["mean"][0]), round(float(s["std"][0]), 6)
    (2.0, 0.816497)
    """
    margins = votes.margins_PK
    mean = margins.mean(1)
    slope = cross_fitted_slope(mean, votes.target, votes.fold)
    p = sigmoid(-np.maximum(slope, ORDERED) * mean)
    columns = {
        "margins": margins, "n_members": np.full(len(mean), margins.shape[1], np.int32),
        "mean": mean, "std": margins.std(1), "vote_share": ((margins > 0) + 0.5 * (margins == 0)).mean(1),
        "decile": decile(mean), "p_disagree": p, "verdict": verdict(p, thresholds),
    }  # fmt: skip
    per_fold = {int(f): float(slope[votes.fold == f][0]) for f in np.unique(votes.fold)}
    facts = {
        "temperature": {f: (1 / a if a > 0 else None) for f, a in per_fold.items()},
        "thresholds": {"wrong": thresholds.wrong, "ambiguous": thresholds.ambiguous, "strong": thresholds.strong},
        "member_names": votes.names,
    }
    return Signals(columns, facts)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^-x) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def decile(mean: NDArray[np.float64]) -> NDArray[np.int32]:
    """1 for the lowest tenth by mean, 10 for the highest; sizes differ by one at most.

    >>> decile(np.array([3.0, 1.0, 2.0])).tolist()
    [7, 1, 4]
    """
    place = np.empty(len(mean), np.int64)
    place[np.argsort(mean, kind="stable")] = np.arange(len(mean))
    return (1 + place * 10 // max(len(mean), 1)).astype(np.int32)


def verdict(p_disagree: NDArray[np.float64], thresholds: Thresholds = THRESHOLDS) -> NDArray[np.str_]:
    """`wrong`, `ambiguous`, `normal` or `strong` [P].

    >>> verdict(np.array([0.9, 0.5, 0.2, 0.1])).tolist()
    ['wrong', 'ambiguous', 'normal', 'strong']
    """
    t = thresholds
    which = np.select([p_disagree >= t.wrong, p_disagree >= t.ambiguous, p_disagree > t.strong], [0, 1, 2], 3)
    return np.array(VERDICTS)[which]


def cross_fitted_slope(mean: NDArray, target: NDArray, fold: NDArray) -> NDArray[np.float64]:
    """1/T of every row, fitted on the rows of the other folds; with one fold only, on all rows.

    A slope of 0 (infinite temperature) says that the votes know nothing: p_disagree is then 1/2, but for `ORDERED`.
    """
    out = np.empty(len(mean))
    kinds = np.unique(fold)
    for f in kinds:
        others = fold != f if len(kinds) > 1 else np.ones(len(fold), bool)
        out[fold == f] = slope(mean[others], target[others])
    return out


def slope(mean: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64] | None = None) -> float:
    """The a >= 0 that minimises the log loss of sigmoid(a * mean) for `target`; no intercept, so labels stay symmetric.

    The loss is convex in a; bisection on its derivative. `weight`: of every row, 1 by default. Votes that never err
    would drive a to infinity: n of them allow no more than Laplace's rule of succession does, a disagreement in n + 2
    at the typical |mean| (its rms).

    >>> m = np.array([1.0, 1.0, 1.0, -1.0])
    >>> round(slope(m, np.ones(4)), 4)  # three of four agree: logit(3/4)
    1.0986
    >>> round(float(sigmoid(np.array(-slope(np.ones(8), np.ones(8))))), 4)  # eight of eight
    0.1
    """
    w = np.ones(len(mean)) if weight is None else weight
    rms = float(np.sqrt((w * mean**2).sum() / w.sum())) if w.any() else 0.0
    if rms == 0:
        return 0.0

    def downhill(a: float) -> float:
        return float((w * mean * (target - sigmoid(a * mean))).sum())

    low, high = 0.0, float(np.log1p(w.sum() ** 2 / (w**2).sum())) / rms  # as many rows as weigh that much alike
    if downhill(low) <= 0:
        return 0.0
    if downhill(high) >= 0:
        return high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if downhill(middle) > 0 else (low, middle)
    return (low + high) / 2
