"""How far annotators agree, how often each is right, and who always picks the first or the longer one.

Krippendorff's alpha (nominal; first, second, tie, and mirrored, so that it does not depend on which response is called
first), one-coin Dawid & Skene over strict judgements, and, where responses are compared with several others, a noisy
Bradley-Terry model with a habit for each annotator (`signals.annotators`). Intervals are 95 %: of agreement over prompt
groups, of a reliability over repeated pairs and never narrower than Wilson's for its number of judgements.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks import _judgements as judgements
from plaudit.data.checks._judgements import Judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.metrics.intervals import FEW, codes, percentiles, weights, wilson
from plaudit.records import Preference
from plaudit.signals.annotators import agreement, coincidences_between, dawid_skene, noisy_bradley_terry

ENOUGH_ITEMS = 20  # pairs judged by two or more, below which nobody's reliability is estimated
ENOUGH_EACH = 5  # and judgements of such pairs by the annotator
PULL = 4.0  # judgements of pooled skill added to each annotator's
DRAWS = 200
MOST = 50  # annotators listed
ASK = ", and audit with --noise annotator so that p_wrong knows them"  # what an audit with it need not be told
LEANING = 0.1  # least difference from the median annotator that is named


def check(
    outline: Outline, *, near_chance: float = 0.65, one_sided: float = 0.85, enough: int = 20, seed: int = 0
) -> Finding:
    """Agreement and reliability of annotators, and suspicious ones by name.

    Suspicious: the upper end of the reliability is below `near_chance`; or at least `one_sided` of `enough` or more
    strict judgements, by the lower end of the interval, went to the first response, the second, or the longer one; or
    that share is 0.1 or more from the median annotator's, more than chance does in one file of twenty.
    """
    table, names = _ordered(judgements.of_outline(outline), outline.annotators)
    people = np.unique(table.annotator)
    if len(people) < 2:
        why = "one annotator" if len(people) else "no annotators"
        return Finding("annotators", "skip", f"the files name {why}, so there is nobody to compare")
    agree = _agreement(judgements.once(table), seed)
    skill = _reliability(table, seed)
    looks = _noisy(table)
    shown = judgements.shows_order(outline, table)
    rows = {}
    for a in people:
        rows[names[a]] = {**_habits(table, shown, outline, a, enough), **skill.get(int(a), {}), **looks.get(int(a), {})}
    _leanings(list(rows.values()))
    odd = {name: why for name, row in rows.items() if (why := _odd(row, near_chance, one_sided))}
    counts = np.bincount(table.annotator, minlength=len(names))
    listed = sorted(people, key=lambda a: (names[a] not in odd, -counts[a], names[a]))[:MOST]
    value = {
        "annotators": len(people), "judgements": len(table), "contradict_themselves": _against_oneself(table), **agree,
        "each": {names[a]: rows[names[a]] for a in listed}, "suspicious": odd,
    }  # fmt: skip
    guilty = [a for a in people if names[a] in odd]
    ids, count = judgements.ids(outline, table.preference[np.isin(table.annotator, guilty)])
    return _finding(value, odd, ids, count)


def _finding(value: dict[str, Any], odd: dict[str, str], ids: tuple[str, ...], count: int) -> Finding:
    people = f"{value['annotators']} annotators"
    if value["alpha"] is None:
        text = f"{people}, no pair of responses was judged by two of them"
    else:
        text = f"{people} agree on {value['observed']:.0%} of judgements of the same pairs, "
        text += f"Krippendorff's alpha {value['alpha']:.2f}"
        if value["alpha_low"] is not None:
            text += f" ({value['alpha_low']:.2f} to {value['alpha_high']:.2f})"
    if value["contradict_themselves"]:
        n = value["contradict_themselves"]
        often = "once" if n == 1 else f"in {n:,} cases"
        text += f"; {often} an annotator gave a pair both labels, against their own earlier label"
    if odd:
        name, why = next(iter(odd.items()))
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        text += f"; suspicious: {judgements.brief(name)} ({why}){more}"
        advice = f"look at what these annotators judged{ASK}"
        return Finding("annotators", "warn", text, value, ids, count, advice)
    low = value["alpha"] is not None and value["alpha"] < 0.4
    advice = "labels this noisy cap what any model can reach: soften them, plaudit repair FILE --audit D" if low else ""
    return Finding("annotators", "note" if low or value["alpha"] is None else "ok", text, value, advice=advice)


def _ordered(table: Judgements, names: Sequence[str]) -> tuple[Judgements, tuple[str, ...]]:
    """Named judgements in an order of their own, annotators by name: the order of the file leaves no trace in a bit."""
    table = table.only(table.named)
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    table = replace(table, annotator=rank[table.annotator])
    rows = np.lexsort((~table.low_first, table.low_won, table.annotator, table.item))
    return table.only(rows), tuple(names[i] for i in order)


def _against_oneself(table: Judgements) -> int:
    """How often one annotator ordered the same two responses both ways."""
    strict = judgements.once(table.only(table.low_won >= 0))
    return len(strict) - len(np.unique(np.column_stack([strict.item, strict.annotator]), axis=0)) if len(strict) else 0


def _agreement(table: Judgements, seed: int) -> dict[str, Any]:
    """Alpha with ties and without, and plain agreement, of different annotators; intervals over prompt groups."""
    out: dict[str, Any] = {}
    for suffix, rows, classes in (("", np.ones(len(table), bool), 3), ("_strict", table.low_won >= 0, 2)):
        part = table.only(rows)
        found, ends, pairs = _alpha(part, classes, seed)
        out |= {
            f"alpha{suffix}": _number(found[0]), f"alpha{suffix}_low": _number(ends[0][0]),
            f"alpha{suffix}_high": _number(ends[1][0]), f"observed{suffix}": _number(found[1]),
            f"observed{suffix}_low": _number(ends[0][1]), f"observed{suffix}_high": _number(ends[1][1]),
            f"pairs{suffix}": pairs,
        }  # fmt: skip
    return out


def _alpha(table: Judgements, classes: int, seed: int) -> tuple[NDArray, NDArray, int]:
    """(alpha, agreement), both ends of their intervals [2, 2], and the number of items that repeat."""
    nothing = np.full(2, np.nan), np.full((2, 2), np.nan), 0
    if not len(table):
        return nothing
    label = np.where(table.low_won < 0, 2, 1 - table.low_won).astype(np.int64)
    each = coincidences_between(table.item, table.annotator, label, classes)
    mirror = np.array([1, 0, 2])[:classes]
    each = each + each[:, mirror][:, :, mirror]
    several = each.sum((1, 2)) > 0
    if not several.any():
        return nothing
    group = np.zeros(table.items, np.uint64)
    group[table.item] = table.group
    cluster = codes(group[several])
    sums = np.zeros((int(cluster.max()) + 1, classes, classes))
    np.add.at(sums, cluster, each[several])
    found = agreement(sums.sum(0))
    drawn = np.concatenate([
        agreement(np.tensordot(w, sums, 1)) for w in weights(np.ones(len(sums)), 1000, seed=seed, purpose="agreement")
    ])  # fmt: skip
    drawn = drawn[~np.isnan(drawn).any(1)]
    ends = np.stack(percentiles(drawn)) if len(drawn) and len(sums) >= FEW else np.full((2, 2), np.nan)
    return found, ends, int(several.sum())


def _repeated(table: Judgements) -> Judgements:
    """Strict judgements of items that two or more annotators judged so."""
    strict = judgements.once(table.only(table.low_won >= 0))
    if not len(strict):
        return strict
    pairs = np.unique(np.column_stack([strict.item, strict.annotator]), axis=0)
    several = np.bincount(pairs[:, 0], minlength=strict.items) > 1
    return strict.only(several[strict.item])


def _reliability(table: Judgements, seed: int, *, intervals: bool = True) -> dict[int, dict[str, Any]]:
    """Annotator code -> reliability with its interval and the repeated judgements behind it."""
    several = _repeated(table)
    if several.items < ENOUGH_ITEMS:
        return {}
    people, who = np.unique(several.annotator, return_inverse=True)
    label = several.low_won.astype(np.int64)
    options: dict[str, Any] = {"one_coin": True, "pull": PULL, "even": True, "tolerance": 1e-4}
    whole = dawid_skene(several.item, who, label, 2, **options)
    skill, n = whole.skill, np.bincount(who)
    ends = np.tile(skill, (2, 1))
    if intervals:
        draws = int(np.clip(4_000_000 // len(several), 40, DRAWS))
        options |= {"start": whole.truth, "tolerance": 1e-3}
        drawn = [
            dawid_skene(several.item, who, label, 2, weight=w, **options).skill
            for block in weights(np.ones(several.items), draws, seed=seed) for w in block
        ]  # fmt: skip
        ends = np.stack(percentiles(np.array(drawn)))
    out = {}
    for i, a in enumerate(people):
        if n[i] >= ENOUGH_EACH:
            low, high = wilson(skill[i] * n[i], int(n[i]))
            out[int(a)] = {
                "reliability": float(skill[i]), "reliability_low": float(min(low, ends[0, i])),
                "reliability_high": float(max(high, ends[1, i])), "repeated": int(n[i]),
            }  # fmt: skip
    return out


def reliabilities(preferences: Sequence[Preference]) -> dict[str, float]:
    """How often each annotator is right, {name: share}; empty when too few pairs were judged by two or more.

    >>> reliabilities([])
    {}
    """
    if len({p.annotator for p in preferences if p.annotator}) < 2:
        return {}
    table, names = judgements.of_preferences(preferences)
    table, names = _ordered(table, names)
    found = _reliability(table, 0, intervals=False)
    return {names[a]: row["reliability"] for a, row in found.items()}


def _noisy(table: Judgements) -> dict[int, dict[str, Any]]:
    """Skill and habit from the noisy Bradley-Terry model, where a prompt's responses met more than one other each."""
    strict = _repeated(table)
    if not len(strict):
        return {}
    nodes, place = np.unique(np.concatenate([strict.first_node, strict.second_node]), return_inverse=True)
    left, right = place[: len(strict)], place[len(strict) :]
    met = np.bincount(np.unique(np.column_stack([np.r_[left, right], np.r_[right, left]]), axis=0)[:, 0])
    if (met > 1).mean() < 0.5 or len(strict) < 3 * len(nodes):
        return {}
    people, who = np.unique(strict.annotator, return_inverse=True)
    fit = noisy_bradley_terry(left, right, (strict.low_won == 1) == strict.low_first, who)
    n = np.bincount(who)
    return {
        int(a): {"looks": float(fit.skill[i]), "habit_first": float(fit.habit[i])}
        for i, a in enumerate(people)
        if n[i] >= ENOUGH_EACH
    }


def _habits(table: Judgements, shown: NDArray, outline: Outline, a: int, enough: int) -> dict[str, Any]:
    """Judgements, ties, and how often the first and the longer response won, with intervals from `enough` on."""
    mine = table.annotator == a
    strict = mine & (table.low_won >= 0)
    chars = outline.response["chars"].astype(np.int64)
    first_won = ((table.low_won == 1) == table.low_first)[strict]
    gap = (chars[table.first] - chars[table.second])[strict]
    seen = first_won[shown[strict]]
    longer = np.where(gap > 0, first_won, ~first_won)[gap != 0]
    out: dict[str, Any] = {"judgements": int(mine.sum()), "ties": int((mine & (table.low_won < 0)).sum())}
    for name, won in (("first_wins", seen), ("longer_wins", longer)):
        low, high = wilson(float(won.sum()), len(won)) if len(won) >= enough else (None, None)
        out |= {name: float(won.mean()) if len(won) else None, f"{name}_low": low, f"{name}_high": high}
        out[f"{name}_of"] = len(won)
    return out


def _leanings(rows: list[dict[str, Any]]) -> None:
    """Add `first_leans` and `longer_leans`: the share less the median annotator's where that is sure, else 0.

    Sure: Wilson's interval does not reach the median, at 5 % over all annotators and both habits (Bonferroni). Among
    fewer than three nobody is the odd one.
    """
    for name in ("first_wins", "longer_wins"):
        known = [row for row in rows if row[f"{name}_low"] is not None]
        middle = float(np.median([row[name] for row in known])) if known else 0.0
        for row in rows:
            row[name.replace("wins", "leans")] = 0.0
        for row in known if len(known) > 2 else []:
            n = row[f"{name}_of"]
            low, high = wilson(row[name] * n, n, level=1 - 0.05 / (2 * len(known)))
            gap = row[name] - middle
            if not low <= middle <= high and abs(gap) >= LEANING:
                row[name.replace("wins", "leans")] = float(gap)


def _odd(row: dict[str, Any], near_chance: float, one_sided: float) -> str:
    """Why an annotator is suspicious, or nothing."""
    if row.get("reliability_high", 1.0) < near_chance:
        return f"right in {row['reliability']:.0%} of {row['repeated']} repeated judgements"
    if (row["first_wins_low"] or 0) >= one_sided:
        return f"picks the first in {row['first_wins']:.0%}"
    if row["first_wins_high"] is not None and row["first_wins_high"] <= 1 - one_sided:
        return f"picks the second in {1 - row['first_wins']:.0%}"
    if (row["longer_wins_low"] or 0) >= one_sided:
        return f"picks the longer in {row['longer_wins']:.0%}"
    for name, away in (("longer", "shorter"), ("first", "second")):
        share, lean = row[f"{name}_wins"], row[f"{name}_leans"]
        if lean > 0:
            return f"picks the {name} in {share:.0%}, the median annotator in {share - lean:.0%}"
        if lean < 0:
            return f"picks the {away} in {1 - share:.0%}, the median annotator in {1 - share + lean:.0%}"
    return ""


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
