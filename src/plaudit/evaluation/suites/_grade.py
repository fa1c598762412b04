"""One suite graded by its own rule: scores become outcomes, numbers, intervals, the controls beside them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit import catalog
from plaudit.errors import OptionError, PlauditError
from plaudit.evaluation.scores import Missing, is_score_row, stored
from plaudit.evaluation.suites._files import Held, is_withheld
from plaudit.metrics.intervals import FEW, wilson
from plaudit.metrics.outcomes import Outcomes, Result, formula_intervals, mean
from plaudit.records import Preference
from plaudit.rewards import length
from plaudit.rewards.stream import place, scored
from plaudit.scorer import Scorer

ROOM = "plaudit.evaluation.suites"
Rows = Sequence[tuple[str, dict[str, Any]]]
Watch = Callable[[Preference, NDArray], None]


@dataclass(frozen=True)
class Graded:
    """A suite's results, and what its own report adds."""

    results: list[Result]
    detail: dict[str, Any]


def by_scorer(name: str, scorer: Scorer, folder: Path, *, seed: int = 0, watch: Watch | None = None) -> Graded:
    """Score every row whose text is there, and grade it."""
    module = catalog.load(ROOM, name)
    items = module.load(folder)
    graded, scores = [], []
    refused: list[dict[str, str]] = []

    cut: list[Preference] = []

    def leave(item: Preference, reason: str) -> None:
        refused.append({"where": place(item), "reason": reason})

    for item, values in scored(scorer, (p for p in items if not is_withheld(p)), leave=leave, shorten=cut.append):
        graded.append(item)
        scores.append(values)
        if watch:
            watch(item, values)
    if not graded:
        raise PlauditError(f"{name}: no row could be scored", advice="; ".join(r["reason"] for r in refused[:1]))
    found = _grade(name, module, items, graded, scores, seed)
    return replace(found, detail=found.detail | {"not_scored": refused, "cut": len(cut)})


def scorable(name: str, folder: Path) -> list[Preference]:
    """The rows of a suite whose texts are there."""
    return [p for p in catalog.load(ROOM, name).load(folder) if not is_withheld(p)]


def by_file(
    name: str, rows: Rows, folder: Path | None, *, missing: Missing = "error", seed: int = 0, watch: Watch | None = None
) -> Graded:
    """Grade stored scores: lines of `plaudit score` or `plaudit evaluate`, or the suite's own result rows.

    `watch` sees every row that has scores of its own.
    """
    module = catalog.load(ROOM, name)
    items = module.load(folder) if folder else []
    if all(is_score_row(row) for _, row in rows):
        if not folder:
            raise OptionError(["--scores holds ids only, so --suite-data must say where the suite's rows are"])
        known = stored(rows, "the score file", missing=missing)
        graded = [p for p in items if not is_withheld(p) or p.id in known.table]
        found = list(scored(known, graded))
        _seen(((item, values) for item, values in found if item.id not in known.made_up), watch)
        return _grade(name, module, items, graded, [s for _, s in found], seed, known.made_up)
    if not hasattr(module, "stored"):
        raise PlauditError(f"{rows[0][0]}: not a score row", advice='{"id": "...", "scores": [...]} is wanted')
    if missing != "error":
        raise OptionError([f"--missing does nothing with result rows of {name}: each brings its scores"])
    bare, scores = module.stored(rows)
    full = {p.id: p for p in items}
    graded = [full.get(p.id, p) for p in bare]
    _seen(zip(graded, scores, strict=True), watch)
    return _grade(name, module, items, graded, scores, seed)


def _seen(rows: Iterable[tuple[Preference, NDArray]], watch: Watch | None) -> None:
    if watch:
        for item, values in rows:
            watch(item, values)


def _grade(
    name: str, module: ModuleType, items: Sequence[Preference], graded: list[Preference], scores: list, seed: int,
    lost: Collection[str] = (),
) -> Graded:  # fmt: skip
    """`lost`: ids of rows without scores, which were counted as lost."""
    found: Outcomes = module.measure(graded, scores)
    longest: Outcomes | None = None
    if graded and not any(map(is_withheld, graded)):
        longest = module.measure(graded, length.scorer().score_all(graded))
    numbers, by_chance = module.combine(found), module.combine(found.at_random())
    by_length = module.combine(longest) if longest else {}
    ends = formula_intervals(found, _with_gap(module.combine, longest), seed=seed)
    results = []
    for key in sorted(numbers, key=lambda k: ("/" in k, k.count("/"), k != "overall", k)):
        rows = found.section(_section(key))
        ties, groups = mean(found.tied[rows]), len(np.unique(found.group[rows]))
        low, high, how = *ends[key], "bootstrap"
        if low == high or groups < FEW:  # all won or all lost, or few prompts: a bootstrap would claim too much
            low, high, how = *wilson(numbers[key] * groups, groups), "wilson"
        ahead = None
        if longest:
            gap, (near, far) = numbers[key] - by_length[key], ends[_GAP + key]
            if gap and (near == far or groups < FEW):
                near, far = (2 * end - 1 for end in wilson((gap + 1) / 2 * groups, groups))
            ahead = (gap, near, far)
        results.append(Result(
            name if key == "overall" else f"{name}/{key}", key.split("/")[0], int(rows.sum()), groups, numbers[key],
            low, high, ties, by_chance[key], by_length.get(key), ahead, how,
        ))  # fmt: skip
    detail: dict[str, Any] = {"version": module.VERSION, "ties": module.TIES, "rows": len(found)}
    detail["without_prompt"] = sum(map(is_withheld, graded))
    detail["without_score"] = len(lost)
    if hasattr(module, "coverage"):
        real = replace(found, weight=np.array([p.id not in lost for p in graded], np.float64))
        detail["coverage"] = module.coverage(Held(items), real)
    return Graded(results, detail)


_GAP = "\0gap "


def _with_gap(combine: Callable[[Outcomes], dict[str, float]], longest: Outcomes | None) -> Callable:
    """The suite's numbers and, drawn with them, how far each is ahead of length alone."""

    def both(found: Outcomes) -> dict[str, float]:
        numbers = combine(found)
        if longest is not None:
            other = combine(replace(longest, weight=found.weight))
            numbers |= {_GAP + key: numbers[key] - other[key] for key in list(numbers)}
        return numbers

    return both


def _section(key: str) -> str:
    """The leaves a number is about: the whole suite for a number without a slash that is no leaf's beginning."""
    return "" if key in ("overall", "macro") else key.removesuffix("/macro")
