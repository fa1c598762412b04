"""tinker comparisons: `prompt_conversation`, `completion_A`, `completion_B` and a `label` (A, B or Tie)."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, mapping, side, spoken, text
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = 40
_NAMES = ("completion_A", "completion_B")
_RANKS = {"A": (0, 1), "B": (1, 0), "Tie": (0, 0)}
_SWAPPED = {"A": "B", "B": "A", "Tie": "Tie"}


def recognises(row: Row) -> bool:
    held = row.get("comparison") if isinstance(row.get("comparison"), dict) else row
    return isinstance(held, dict) and "prompt_conversation" in held and "completion_A" in held and "label" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    held = mapping(row, "comparison", where) if "comparison" in row else row
    label = text(row, "label", where)
    if label not in _RANKS:
        raise DataError(where, f"label is {label[:20]!r}, not A, B or Tie")
    prompt = spoken(held.get("prompt_conversation"), "prompt_conversation", where, "user")
    sides = tuple(side(held, name, where) for name in _NAMES)
    return (judged(row, where, prompt, sides, _RANKS[label], names=_NAMES),)


def swap(row: Row, record: Preference) -> Row:
    row["label"] = _SWAPPED[row["label"]]
    return row
