"""Two annotators order the same two responses differently: no mistake, but a limit on what a model can reach."""

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks import _judgements as judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.metrics.intervals import mean_interval


def check(outline: Outline, *, tolerated: float = 0.2) -> Finding:
    """`tolerated`: share of the pairs judged by several in which they may disagree before it is worth a warning.

    A tie against a choice is counted apart. Judgements without a name are the contradictions check's.
    """
    table = judgements.of_outline(outline)
    table = table.only(table.named)
    several = _by_two(table, np.ones(len(table), bool))
    if not several.any():
        return Finding("disagreements", "skip", "no pair of responses was judged by two annotators")
    low, high, tie = (np.bincount(table.item[table.low_won == won], minlength=table.items) > 0 for won in (1, 0, -1))
    both = low & high & _by_two(table, table.low_won >= 0)
    half = tie & (low | high) & several & ~both
    group = np.zeros(table.items, np.uint64)
    group[table.item] = table.group
    ends = mean_interval(both[several], group[several])
    part = float(both[several].mean())
    value = {
        "pairs_judged_by_several": int(several.sum()), "disagree": int(both.sum()),
        "tie_against_choice": int(half.sum()), "share": part, "low": float(ends.low), "high": float(ends.high),
    }  # fmt: skip
    text = (
        f"annotators order {both.sum():,} of {several.sum():,} pairs that several judged both ways"
        f" ({part:.1%}, {ends.low:.1%} to {ends.high:.1%})"
    )
    rows = table.preference[both[table.item]]
    ids, count = judgements.ids(outline, rows)
    if part > tolerated:
        advice = "give such pairs a soft label: plaudit repair FILE --audit D --treatment soften --output F"
        return Finding("disagreements", "warn", text, value, ids, count, advice)
    return Finding("disagreements", "note" if both.any() else "ok", text, value, ids, count)


def _by_two(table: judgements.Judgements, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Items that two annotators or more judged in these rows, [I]."""
    if not rows.any():
        return np.zeros(table.items, bool)
    seen = np.unique(np.column_stack([table.item[rows], table.annotator[rows]]), axis=0)
    return np.bincount(seen[:, 0], minlength=table.items) > 1
