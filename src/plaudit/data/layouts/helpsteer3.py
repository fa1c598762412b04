"""HelpSteer3: `context` (messages), `response1`, `response2`, `overall_preference` -3..3; negative: the first wins."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, mirrored, number, spoken, text
from plaudit.data.layouts._pairs import in_order, judged
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("response1", "response2")


def recognises(row: Row) -> bool:
    return "context" in row and "response1" in row and "response2" in row and "overall_preference" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = spoken(row.get("context"), "context", where, "user")
    first, second = ((message("assistant", text(row, name, where)),) for name in _NAMES)
    preference = number(row, "overall_preference", where)
    ranks = in_order(0, preference)
    return (judged(row, where, prompt, (first, second), ranks, names=_NAMES, strength=abs(preference)),)


def swap(row: Row, record: Preference) -> Row:
    row["overall_preference"] = mirrored(row["overall_preference"])
    return row
