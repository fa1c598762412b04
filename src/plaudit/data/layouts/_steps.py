"""Solutions judged step by step: the labels that a first wrong step implies, and the faults of a row."""

from collections.abc import Mapping, Sequence

from plaudit.data.layouts._fields import Row
from plaudit.data.layouts._pairs import columns
from plaudit.errors import DataError
from plaudit.records import Conversation, Steps, conversation_digest, digest, message


def until(first_wrong: int | None, n: int, where: str, key: str) -> tuple[bool | None, ...]:
    """Labels of n steps: right before the first wrong one (from 0), wrong there, unjudged after; None = no error.

    >>> until(1, 3, "a:1", "label"), until(None, 2, "a:1", "label")
    ((True, False, None), (True, True))
    """
    if first_wrong is None:
        return (True,) * n
    if not 0 <= first_wrong < n:
        raise DataError(where, f"{key} is {first_wrong}, but there are {n} steps")
    return (*([True] * first_wrong), False, *([None] * (n - first_wrong - 1)))


def solution(
    row: Row,
    where: str,
    prompt: str | Conversation,
    steps: Sequence[str],
    labels: Sequence[bool | None],
    *,
    final_correct: bool | None = None,
    id: str = "",
    tags: Mapping[str, str] | None = None,
) -> Steps:
    """The record of a judged solution; refuses no steps, an empty step, and labels of another length."""
    if not steps:
        raise DataError(where, "a solution without steps")
    for i, step in enumerate(steps, 1):
        if not step or step.isspace():
            raise DataError(where, f"step {i} is empty")
    if len(labels) != len(steps):
        raise DataError(where, f"{len(labels)} labels for {len(steps)} steps")
    turns = (message("user", prompt),) if isinstance(prompt, str) else prompt
    if tags is None:
        found = columns(row, where)
        id, tags = id or found.get("id", ""), found.get("tags", {})
    key = id or digest(conversation_digest(turns), *steps)
    return Steps(key, turns, tuple(steps), tuple(labels), final_correct, {k: v for k, v in tags.items() if v}, where)
