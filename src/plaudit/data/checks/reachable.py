"""What accuracy these labels allow at all: bounds and estimates, never one number.

For annotators drawn from one crowd, let q be the share of the crowd that sides with its majority on a pair. The best
any scorer can do on a fresh judgement is E[q]; two judgements agree with A = E[q^2 + (1 - q)^2]. As
q^2 + (1 - q)^2 <= q on [1/2, 1], and by Jensen's inequality,

    A <= E[q] <= (1 + sqrt(2 A - 1)) / 2

with equality on the left when pairs are either clear or a coin's throw, on the right when all are equally hard. Apart
from that, labels that contradict each other in this very file cap what can be scored on it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks import _judgements as judgements
from plaudit.data.checks._judgements import Judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.metrics.intervals import mean_interval
from plaudit.signals.annotators import coincidences_between

MEANING = {
    "lower": "what the audit's committee reaches on labels it never saw (accuracy in audit.json): a scorer that exists",
    "one_more_person": "how often one annotator predicts another on the same pair: what a person reaches",
    "majority": "how often the majority of the others predicts an annotator, where three or more judged",
    "best": "no scorer reaches more on a fresh judgement; reached only if all pairs are equally hard",
    "ceiling": "the most that can be scored on these very labels, as some contradict others; 1 where nothing repeats",
}


def check(outline: Outline, *, enough: int = 20) -> Finding:
    """`enough`: pairs judged by two annotators below which nothing is estimated from agreement. `lower` is for an audit
    to fill in, once a committee has voted out of fold.
    """
    table = judgements.of_outline(outline)
    strict = table.only(table.low_won >= 0)
    if not len(strict):
        return Finding("reachable", "skip", "no two responses were ordered")
    ceiling, repeated = _ceiling(strict)
    value: dict[str, Any] = {
        "lower": None, "ceiling": ceiling, "repeated_pairs": repeated, "one_more_person": None, "majority": None,
        "best": None, "pairs": 0, "meaning": MEANING,
    }  # fmt: skip
    person = judgements.once(strict.only(strict.named))
    found = _by_agreement(person, enough) if len(person) else {}
    value |= found
    capped = f"contradicting labels cap the score on these rows at {ceiling:.1%}"
    if not found:
        text = "too few pairs were judged by two annotators, so agreement says nothing"
        return Finding("reachable", "note", f"{capped}; {text}" if ceiling < 1 else text, value)
    low, best = found["one_more_person"], found["best"]
    text = (
        f"one more person predicts a judgement in {low['score']:.0%} of cases ({low['low']:.0%} to {low['high']:.0%}), "
        f"no scorer in more than {best['score']:.0%} ({best['low']:.0%} to {best['high']:.0%})"
    )
    advice = "an accuracy on held-out rows above the upper end means a leak, not a better model"
    return Finding("reachable", "note", f"{text}; {capped}" if ceiling < 1 else text, value, advice=advice)


def _ceiling(strict: Judgements) -> tuple[float, int]:
    """Best possible share of these labels, ordering every pair as most of its labels do; pairs judged twice or more."""
    up, down = (np.bincount(strict.item[strict.low_won == won], minlength=strict.items) for won in (1, 0))
    return float(np.maximum(up, down).sum() / len(strict)), int((up + down > 1).sum())


def _by_agreement(person: Judgements, enough: int) -> dict[str, Any]:
    """Estimates with intervals over prompt groups, from pairs that two or more annotators judged."""
    each = coincidences_between(person.item, person.annotator, person.low_won.astype(np.int64), 2)
    total = each.sum((1, 2))
    several = total > 0
    if several.sum() < enough:
        return {}
    group = np.zeros(person.items, np.uint64)
    group[person.item] = person.group
    weight = total[several]
    agree = np.trace(each, axis1=1, axis2=2)[several] / weight
    score = float(agree.mean())
    ends = mean_interval(agree, group[several])
    best = [_best(a) for a in (score, float(ends.low), float(ends.high))]
    return {
        "one_more_person": {"score": score, "low": float(ends.low), "high": float(ends.high)},
        "best": {"score": best[0], "low": best[1], "high": best[2]},
        "majority": _majority(person, enough), "pairs": int(several.sum()),
    }  # fmt: skip


def _best(agreement: float) -> float:
    """(1 + sqrt(2 A - 1)) / 2; agreement by chance or below allows a coin's throw.

    >>> _best(1.0), _best(0.5), round(_best(0.68), 6)
    (1.0, 0.5, 0.8)
    """
    return float((1 + np.sqrt(max(2 * agreement - 1, 0.0))) / 2)


def _majority(person: Judgements, enough: int) -> dict[str, float] | None:
    """How often the majority of the others sides with an annotator; an even split counts half. Who gave a pair both
    labels has no side.
    """
    voices, who, counts = np.unique(
        np.column_stack([person.item, person.annotator]), axis=0, return_inverse=True, return_counts=True
    )
    person = person.only(counts[who.ravel()] == 1)
    up, down = (np.bincount(person.item[person.low_won == won], minlength=person.items) for won in (1, 0))
    three = (up + down >= 3)[person.item]
    if len(np.unique(person.item[three])) < enough:
        return None
    mine = person.low_won[three].astype(np.int64)
    lead = (up - down)[person.item[three]] - (2 * mine - 1)
    right: NDArray[np.float64] = 0.5 + 0.5 * np.sign(lead) * (2 * mine - 1)
    ends = mean_interval(right, person.group[three])
    return {"score": float(right.mean()), "low": float(ends.low), "high": float(ends.high)}
