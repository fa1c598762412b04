"""TRL stepwise: `prompt`, `completions` (the steps), `labels` (one boolean a step)."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, items, kind, spoken, strings
from plaudit.data.layouts._steps import solution
from plaudit.errors import DataError
from plaudit.records import Steps

SPECIFICITY = 30


def recognises(row: Row) -> bool:
    return "prompt" in row and isinstance(row.get("completions"), list) and isinstance(row.get("labels"), list)


def parse(row: Row, *, where: str) -> Iterable[Steps]:
    labels = items(row, "labels", where)
    for i, value in enumerate(labels, 1):
        if value not in (True, False, None):
            raise DataError(where, f"label {i} is {kind(value)}, not true or false")
    prompt = spoken(row.get("prompt"), "prompt", where, "user")
    judged = tuple(None if value is None else bool(value) for value in labels)
    return (solution(row, where, prompt, strings(row, "completions", where), judged),)
