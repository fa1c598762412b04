"""Where a number comes from: the same accuracy where the chosen side is longer or shorter, by turns, source and tag."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from plaudit.evaluation.units import LISTS, Unit, outcomes_of
from plaudit.metrics.accuracy import Ties
from plaudit.metrics.outcomes import result

TAGS, VALUES = 8, 8  # tag names and values shown: more is a table nobody reads
FEWEST = 10  # rows that a line needs


def by_length(unit: Unit) -> str:
    """Whether length alone would be right."""
    gap = unit.sides[2] - unit.sides[3]
    return "chosen is longer" if gap > 0 else "chosen is shorter" if gap < 0 else "equal length"


def by_turns(unit: Unit) -> str:
    """User turns of the prompt."""
    return ("no prompt", "1 turn", "2 turns")[unit.turns] if unit.turns < 3 else "3+ turns"


def by_source(unit: Unit) -> str:
    """The file of the row: over several, length and scorer may pull one way in one and the other way in the next."""
    return unit.file


def breakdown(units: Sequence[Unit], ties: Ties, *, seed: int = 0) -> list[dict[str, Any]]:
    """Lines `{"by", "value", ...}` over all comparisons (pairs and those of lists); lists as wholes are left out."""
    compared = [u for u in units if u.kind != LISTS]
    lines = _lines("length", compared, by_length, ties, seed, fewest=1)
    lines += _lines("turns", compared, by_turns, ties, seed, fewest=1)
    lines += _lines("source", compared, by_source, ties, seed, fewest=1)
    for tag in _tags(compared):
        common = {v for v, _ in Counter(u.tags[tag] for u in compared if tag in u.tags).most_common(VALUES)}
        having = [u for u in compared if u.tags.get(tag) in common]
        lines += _lines(f"tag {tag}", having, partial(_tag, tag), ties, seed, fewest=FEWEST)
    return lines


def _tag(tag: str, unit: Unit) -> str:
    return unit.tags[tag]


def _tags(units: Sequence[Unit]) -> list[str]:
    """Tag names that divide the rows: more than one value, and values that repeat."""
    values: dict[str, Counter[str]] = {}
    for unit in units:
        for tag, value in unit.tags.items():
            values.setdefault(tag, Counter())[value] += 1
    dividing = [t for t, seen in values.items() if len(seen) > 1 and seen.total() >= FEWEST * min(len(seen), 4)]
    return sorted(t for t in dividing if values[t].most_common(1)[0][1] >= FEWEST)[:TAGS]


def _lines(
    by: str, units: Sequence[Unit], value_of: Callable[[Unit], str], ties: Ties, seed: int, *, fewest: int
) -> list[dict[str, Any]]:
    parts: dict[str, list[Unit]] = {}
    for unit in units:
        parts.setdefault(value_of(unit), []).append(unit)
    if len(parts) < 2:
        return []
    lines = []
    for value, part in sorted(parts.items()):
        if len(part) >= fewest:
            found, length = outcomes_of(part, ties)
            lines.append({"by": by, "value": value} | result(value, by, found, length, seed=seed).as_dict())
    return lines
