"""Where a number comes from: the same accuracy where the chosen side is longer or shorter, by turns, source and tag."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from plaudit.evaluation.units import LISTS, Unit, outcomes_of
from plaudit.metrics.accuracy import Ties
from plaudit.metrics.outcomes import result

TAGS, VALUES = 8, 16  # tag names and values with a line of their own: the other values share one
FEWEST = 10  # rows that a value needs for a line of its own


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
    lines = _lines("length", compared, by_length, ties, seed)
    lines += _lines("turns", compared, by_turns, ties, seed)
    lines += _lines("source", compared, by_source, ties, seed)
    for tag in _tags(compared):
        having = [u for u in compared if tag in u.tags]
        seen = Counter(u.tags[tag] for u in having)
        common = {v for v, n in seen.most_common(VALUES) if n >= FEWEST}
        rest = len(seen) - len(common)
        others = f"({rest} other value{'' if rest == 1 else 's'})"
        lines += _lines(f"tag {tag}", having, partial(_tag, tag, common, others), ties, seed, last=others)
    return lines


def _tag(tag: str, common: Collection[str], others: str, unit: Unit) -> str:
    return unit.tags[tag] if unit.tags[tag] in common else others


def _tags(units: Sequence[Unit]) -> list[str]:
    """Tag names that divide the rows: more than one value, and values that repeat."""
    values: dict[str, Counter[str]] = {}
    for unit in units:
        for tag, value in unit.tags.items():
            values.setdefault(tag, Counter())[value] += 1
    dividing = [t for t, seen in values.items() if len(seen) > 1 and seen.total() >= FEWEST * min(len(seen), 4)]
    return sorted(t for t in dividing if values[t].most_common(1)[0][1] >= FEWEST)[:TAGS]


def _lines(
    by: str, units: Sequence[Unit], value_of: Callable[[Unit], str], ties: Ties, seed: int, *, last: str = ""
) -> list[dict[str, Any]]:
    parts: dict[str, list[Unit]] = {}
    for unit in units:
        parts.setdefault(value_of(unit), []).append(unit)
    if len(parts) < 2:
        return []
    lines = []
    for value, part in sorted(parts.items(), key=lambda item: (item[0] == last, item[0])):
        found, length = outcomes_of(part, ties)
        lines.append({"by": by, "value": value} | result(value, by, found, length, seed=seed).as_dict())
    return lines
