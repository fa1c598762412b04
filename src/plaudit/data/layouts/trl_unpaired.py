"""TRL unpaired: `prompt`, `completion`, `label` (true or false): one response, rated and compared with nothing."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, is_turns, side, spoken, wrong
from plaudit.data.layouts._pairs import judged
from plaudit.records import Preference

SPECIFICITY = 20


def recognises(row: Row) -> bool:
    prompt, completion = row.get("prompt"), row.get("completion")
    return "label" in row and (isinstance(completion, str) or is_turns(completion)) and bool(prompt)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = spoken(row.get("prompt"), "prompt", where, "user")
    answer = side(row, "completion", where)
    return (
        judged(row, where, prompt, (answer,), None, names=("completion",), ratings=({"label": label(row, where)},)),
    )


def label(row: Row, where: str) -> float:
    """1 for wanted, 0 for unwanted; from a boolean, or 0 and 1 where a table has no booleans."""
    value = row.get("label")
    if value is True or (value == 1 and isinstance(value, int | float)) or value in ("true", "True"):
        return 1.0
    if value is False or (value == 0 and isinstance(value, int | float)) or value in ("false", "False"):
        return 0.0
    raise wrong(row, "label", where, "true or false")
