"""BIG-Bench-Mistake: `input`, `steps`, `mistake_index` = first wrong step from 0 (null: none), `target`, `answer`."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, strings, whole
from plaudit.data.layouts._steps import solution, until
from plaudit.records import Steps

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "input" in row and isinstance(row.get("steps"), list) and "mistake_index" in row


def parse(row: Row, *, where: str) -> Iterable[Steps]:
    steps = strings(row, "steps", where)
    first = None if row.get("mistake_index") is None else whole(row, "mistake_index", where)
    labels = until(first, len(steps), where, "mistake_index")
    target, answer = row.get("target"), row.get("answer")
    right = target.strip() == answer.strip() if isinstance(target, str) and isinstance(answer, str) else None
    return (solution(row, where, filled(row, "input", where), steps, labels, final_correct=right, tags={}),)
