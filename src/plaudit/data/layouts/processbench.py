"""ProcessBench: `problem`, `steps`, `label` = first wrong step counted from 0 (-1: none), `final_answer_correct`."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, strings, whole
from plaudit.data.layouts._steps import solution, until
from plaudit.records import Steps

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "problem" in row and "steps" in row and "label" in row and "final_answer_correct" in row


def parse(row: Row, *, where: str) -> Iterable[Steps]:
    steps = strings(row, "steps", where)
    first = whole(row, "label", where)
    labels = until(None if first == -1 else first, len(steps), where, "label")
    right = row.get("final_answer_correct")
    key, tags = str(row.get("id") or ""), {"generator": str(row.get("generator") or "")}
    final = right if isinstance(right, bool) else None
    return (solution(row, where, filled(row, "problem", where), steps, labels, final_correct=final, id=key, tags=tags),)
