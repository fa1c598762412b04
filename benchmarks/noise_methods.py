"""Who looks for wrong labels: the committee and what it is measured against. Each gives one number a row.

Higher is more likely wrong; every method sees the labels as they stand and nothing else. The oracles at the end know
more: what a row's clean label is likely to be, and the chance of each flip.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noise_sets import Case, flip_chance
from plaudit.auditing.influence import effects, fit_head, judged, rows_of, self_influence, unit_scale
from plaudit.auditing.influence_noise import STIFF, harm, pick_ridge
from plaudit.models.members import Member
from plaudit.seeds import generator, seed_for
from plaudit.signals.price import cross_fitted_slope, price, sigmoid
from plaudit.signals.votes import Votes
from plaudit.training.heads import RIDGES, fit


def oriented(case: Case, label: NDArray, members: Sequence[Member], fold: NDArray, **how: Any) -> NDArray[np.float64]:
    """Margins of the FIRST response over the second, [P, K], by members trained under `label`."""
    margins, _ = fit(case.matrix, case.pairs(label), fold, members, **how)
    return margins * label[:, None]


def disagreement(margins: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """`p_disagree` of votes [P, K] in the label's direction, as an audit computes it."""
    names = tuple(str(k) for k in range(margins.shape[1]))
    return price(Votes(margins, fold, np.ones(len(margins)), names))["p_disagree"]


def reseeded(members: Sequence[Member], seed: int) -> list[Member]:
    """The same members with bootstraps of their own for every draw."""
    return [replace(m, seed=seed_for(seed, "member", k)) for k, m in enumerate(members)]


def suspicions(case: Case, label: NDArray, fold: NDArray, seed: int) -> dict[str, NDArray[np.float64]]:
    """Every method that needs no more than the set's own views."""
    members = reseeded(case.members, seed)
    deep = members[0].view
    same = [Member(deep, "linear", seed_for(seed, "one view", k)) for k in range(10)]
    votes, _ = fit(case.matrix, case.pairs(label), fold, members)
    inside, _ = fit(case.matrix, case.pairs(label), fold, members, in_sample=True)
    seeds, _ = fit(case.matrix, case.pairs(label), fold, same)
    one = plain(case, label, fold, deep)
    better, worse = np.where(label > 0, case.first, case.second), np.where(label > 0, case.second, case.first)
    return {
        "committee (p_disagree)": disagreement(votes, fold),
        "ten seeds of one view": disagreement(seeds, fold),
        "in-sample vote": disagreement(inside, np.full(len(fold), -1)),
        "one model": -one["margin"],
        "training loss": one["loss"],
        "cleanlab, one model": cleanlab(one["margin"], label, fold),
        "cleanlab, committee": cleanlab(votes.mean(1), label, fold),
        "influence, one head": one["influence"],
        "influence, the committee's views": by_views(case, label, fold, members),
        "self-influence": one["own"],
        "length": -(case.chars[better] - case.chars[worse]).astype(float),
        "random": generator(seed, "noise control").random(len(case)),
    }


def plain(case: Case, label: NDArray, fold: NDArray, view: int) -> dict[str, NDArray[np.float64]]:
    """One ordinary head on all rows of its lesson, its ridge the one that predicts best; four readings of it.

    `margin` out of fold; `loss` in sample, of a head trained on all rows; `influence` on the loss of other prompts;
    `own`: influence on itself, in sample.
    """
    rows = rows_of(case.matrix(view), case.pairs(label))
    found = harm(rows, fold)
    whole = fit_head(rows, pick_ridge(rows, fold, RIDGES, unit_scale(rows.x)))
    return {"margin": found.margin, "loss": whole.losses(rows), "influence": found.influence,
            "own": self_influence(whole, rows)}  # fmt: skip


def by_views(case: Case, label: NDArray, fold: NDArray, members: Sequence[Member]) -> NDArray[np.float64]:
    """Influence on the loss of other prompts, of stiff heads on every member's view, on one scale, averaged."""
    each = {}
    for view in {m.view for m in members}:
        rows, total = rows_of(case.matrix(view), case.pairs(label)), np.zeros(len(case))
        for f in np.unique(fold):
            inner, held = rows.take(fold != f), rows.take(fold == f)
            head = fit_head(inner, STIFF)
            total[fold != f] += effects(head, inner, judged(head, held, np.zeros(len(held)))).effect[0]
        each[view] = total / (total.std() or 1.0)
    return np.mean([each[m.view] for m in members], 0)


def cleanlab(margin: NDArray, label: NDArray, fold: NDArray) -> NDArray[np.float64]:
    """cleanlab's label quality (self-confidence, thresholds adjusted) from out-of-fold probabilities, negated."""
    from cleanlab.rank import get_label_quality_scores

    p = sigmoid(cross_fitted_slope(margin, np.ones(len(margin)), fold) * margin)  # of the label as it stands
    first = np.where(label > 0, p, 1 - p)
    return -get_label_quality_scores(
        (label > 0).astype(int), np.stack([1 - first, first], 1), method="self_confidence", adjust_pred_probs=True
    )


def posterior(case: Case, label: NDArray, rate: float, kind: str, first: NDArray) -> NDArray[np.float64]:
    """P(label was turned | label, flip chances), where `first` [P] is the chance that the first one is really better."""
    says_first, says_second = (flip_chance(case, rate, kind, np.full(len(case), side)) for side in (1, -1))
    up = label > 0
    wrong = np.where(up, (1 - first) * says_second, first * says_first)
    right = np.where(up, first * (1 - says_first), (1 - first) * (1 - says_second))
    return wrong / np.maximum(wrong + right, 1e-300)


def oracles(case: Case, label: NDArray, rate: float, kind: str) -> dict[str, NDArray[np.float64]]:
    """Of a world with hard labels: who knows gold and the noise, and who knows the noise alone."""
    if case.gold is None:
        return {}
    return {
        "oracle posterior: knows gold and noise": posterior(case, label, rate, kind, (case.gold > 0).astype(float)),
        "knows the noise alone": posterior(case, label, rate, kind, np.full(len(case), 0.5)),
    }
