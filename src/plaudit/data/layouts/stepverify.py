"""StepVerify: `problem`, `student_incorrect_solution` (steps), `incorrect_index` = first wrong step counted from 0."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, strings, whole
from plaudit.data.layouts._steps import solution, until
from plaudit.records import Steps

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "problem" in row and "student_incorrect_solution" in row and "incorrect_index" in row


def parse(row: Row, *, where: str) -> Iterable[Steps]:
    steps = strings(row, "student_incorrect_solution", where)
    labels = until(whole(row, "incorrect_index", where), len(steps), where, "incorrect_index")
    tags = {"category": str(row.get("error_category") or ""), "topic": str(row.get("topic") or "")}
    return (solution(row, where, filled(row, "problem", where), steps, labels, tags=tags),)
