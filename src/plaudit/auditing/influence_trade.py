"""What fair weights buy and what they cost: every group before and after, on rows that had no say in the weights.

Each fold in turn stands apart. The other folds make their own weights as `crossed` does for the audit's column, a head
is trained with them and one without, and both serve the fold that neither has seen. So the numbers are those of the
whole procedure with one fold less, not of weights that were made to suit the rows they are judged by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.influence import Rows, fit_head, unit_scale
from plaudit.auditing.influence_fair import FEWEST, Standing, crossed, standing_of
from plaudit.auditing.influence_noise import pick_ridge
from plaudit.metrics.intervals import Interval, difference_interval, drawn_means, percentiles
from plaudit.training.heads import RIDGES

TRIED = (10.0, 1.0, 0.1)  # penalties in the table; the middle one makes the column `fair_weight`


@dataclass(frozen=True)
class Offer:
    """One penalty (None: no weights): the range of its weights, how groups stand, accuracy less that without, and the
    interval of the widest gap in loss less that without.
    """

    penalty: float | None
    weights: tuple[float, float]
    standing: Standing
    ahead: Interval
    closed: tuple[float, float]


def trade(
    rows: Rows, kind: NDArray, fold: NDArray[np.int64], clusters: NDArray, *, penalties: Sequence[float] = TRIED,
    largest: float = 2.0, fewest: int = FEWEST, ridges: Sequence[float] = RIDGES,
) -> list[Offer]:  # fmt: skip
    """No weights first, then one offer a penalty; empty with fewer than three folds (one judges, one weighs, one is
    learned from). `kind` [P]: groups, "" none; `clusters` [P]: prompt groups.

    Raises:
        PlauditError: fewer than two groups have `fewest` rows in a fold.
    """
    kinds = np.unique(fold)
    if len(kinds) < 3:
        return []
    loss, margin = (np.zeros((len(penalties) + 1, len(rows))) for _ in range(2))
    low, high = np.full(len(penalties), np.inf), np.zeros(len(penalties))
    for f in kinds:
        away, seen = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        inner, held = rows.take(seen), rows.take(away)
        scale = unit_scale(inner.x)
        ridge = pick_ridge(inner, fold[seen], ridges, scale)
        found = crossed(inner, kind[seen], fold[seen], penalties=penalties, ridge=ridge, largest=largest, fewest=fewest)
        low, high = np.minimum(low, found.weight.min(1)), np.maximum(high, found.weight.max(1))
        for at, weight in enumerate([np.ones(len(seen)), *found.weight]):
            head = fit_head(inner.weighing(inner.weight * weight), ridge, scale=scale)
            loss[at, away], margin[at, away] = head.losses(held), head.margins(held)
    strict = rows.target != 0.5
    gap = (margin * np.sign(rows.target - 0.5))[:, strict]
    right = (gap > 0) + 0.5 * (gap == 0)
    ranges = [(1.0, 1.0), *((float(a), float(b)) for a, b in zip(low, high, strict=True))]
    return [
        Offer(
            None if at == 0 else penalties[at - 1], ranges[at],
            standing_of(loss[at], margin[at], rows.target, kind, clusters),
            difference_interval(right[at], right[0], clusters[strict]), gap_change(loss[at], loss[0], kind, clusters),
        )
        for at in range(len(penalties) + 1)
    ]  # fmt: skip


def gap_change(
    loss: NDArray[np.float64], before: NDArray[np.float64], kind: NDArray, clusters: NDArray
) -> tuple[float, float]:
    """95 % interval of the widest gap in mean loss between groups, less the gap `before`; whole prompt groups drawn.

    >>> kind, before = np.repeat(["a", "b"], 100), np.repeat([1.0, 3.0], 100)
    >>> [round(end, 6) for end in gap_change(before / 2, before, kind, np.arange(200))]
    [-1.0, -1.0]
    """
    kind = np.asarray(kind).astype(object)
    mine = (kind[:, None] == np.unique(kind[kind != ""])[None]).astype(float)
    drawn = drawn_means(np.hstack([mine, mine * before[:, None], mine * loss[:, None]]), clusters)
    n, then, now = np.split(drawn, 3, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = [np.nanmax(total / n, axis=1) - np.nanmin(total / n, axis=1) for total in (now, then)]
    low, high = percentiles(ends[0] - ends[1])
    return float(low), float(high)


def trade_document(offers: Sequence[Offer], penalty: float) -> dict[str, Any]:
    """The offers as plain values: `groups` with the weights of `penalty` and without, `offers` for all penalties."""
    if not offers:
        return {"groups": {}, "offers": []}
    plain = offers[0].standing
    after = next(o for o in offers if o.penalty == penalty).standing
    groups = {
        name: {"n": int(plain.rows[g]), "loss": float(plain.loss[g]), "loss_after": float(after.loss[g]),
               "accuracy": float(plain.accuracy[g]), "accuracy_after": float(after.accuracy[g])}
        for g, name in enumerate(plain.names)
    }  # fmt: skip
    return {"groups": groups, "offers": [_offer(o, plain.overall) for o in offers]}


def _offer(offer: Offer, without: float) -> dict[str, Any]:
    s = offer.standing
    return {
        "penalty": offer.penalty, "lightest": offer.weights[0], "heaviest": offer.weights[1], "loss_gap": s.loss_gap,
        "loss_gap_change": {"low": offer.closed[0], "high": offer.closed[1]}, "accuracy_gap": s.accuracy_gap,
        "accuracy": {"score": s.overall, "low": s.interval.low, "high": s.interval.high},
        "ahead": {"score": s.overall - without, "low": offer.ahead.low, "high": offer.ahead.high},
    }  # fmt: skip
