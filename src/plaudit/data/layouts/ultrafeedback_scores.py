"""UltraFeedback binarized: `prompt`, `chosen`, `rejected`, and their scores at the top or in `metadata`.

The strength is the difference of the scores; equal scores are a tie, although the file puts one side first.
"""

from collections.abc import Iterable
from dataclasses import replace

from plaudit.data.layouts._fields import Row, number
from plaudit.data.layouts._pairs import exchange
from plaudit.data.layouts.trl import parse as explicit
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = 30
_PAIRS = (("score_chosen", "score_rejected"), ("chosen_score", "rejected_score"))


def _scores(row: Row) -> tuple[Row, tuple[str, str]] | None:
    for held in (row, row.get("metadata")):
        for names in _PAIRS:
            if isinstance(held, dict) and names[0] in held and names[1] in held:
                return held, names
    return None


def recognises(row: Row) -> bool:
    return "chosen" in row and "rejected" in row and isinstance(row.get("prompt"), str) and _scores(row) is not None


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    found = _scores(row)
    if found is None:
        raise DataError(where, "score_chosen and score_rejected are missing")
    held, names = found
    better, worse = (number(held, name, where) for name in names)
    graded: Row = {**row, "ratings": [{"score": better}, {"score": worse}]}
    graded.setdefault("strength", better - worse)
    (record,) = explicit(graded, where=where)
    return (record if better != worse else replace(record, ranks=(0, 0)),)


def swap(row: Row, record: Preference) -> Row:
    """The scores go with their texts: after a flip the source's own grade speaks against the label."""
    found = _scores(row)
    if found is not None:
        exchange(found[0], found[1])
    return exchange(row, ("chosen", "rejected"))
