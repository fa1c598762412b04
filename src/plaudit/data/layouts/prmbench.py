"""PRMBench: `modified_question`, `modified_process` (steps), `error_steps` counted from 1, `classification`.

Every step is judged: those listed are wrong, the others right. `multi_solutions` rows have no error by design.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, items, maybe, strings, whole
from plaudit.data.layouts._steps import solution
from plaudit.errors import DataError
from plaudit.records import Steps

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "modified_process" in row and "error_steps" in row and "modified_question" in row


def parse(row: Row, *, where: str) -> Iterable[Steps]:
    steps = strings(row, "modified_process", where)
    wrong = {whole({"error_steps": value}, "error_steps", where) for value in items(row, "error_steps", where)}
    for number in sorted(wrong):
        if not 1 <= number <= len(steps):
            raise DataError(where, f"error_steps names step {number}, but there are {len(steps)}")
    labels = tuple(i not in wrong for i in range(1, len(steps) + 1))
    kind = maybe(row, "classification", where)
    key = f"{row['idx']}/{kind}" if row.get("idx") else ""
    question = filled(row, "modified_question", where)
    return (solution(row, where, question, steps, labels, id=key, tags={"category": kind}),)
