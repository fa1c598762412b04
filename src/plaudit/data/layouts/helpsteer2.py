"""HelpSteer2 ratings: `prompt`, `response` and five attributes from 0 to 4; one response a row, not compared."""

from collections.abc import Iterable

from plaudit.data.layouts._dialogue import extra_ids
from plaudit.data.layouts._fields import Row, filled, number, text
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def recognises(row: Row) -> bool:
    return "prompt" in row and "response" in row and sum(name in row for name in ATTRIBUTES) >= 2


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = extra_ids(filled(row, "prompt", where))
    answer = (message("assistant", text(row, "response", where)),)
    ratings = {name: number(row, name, where) for name in ATTRIBUTES if row.get(name) is not None}
    if not ratings:
        raise DataError(where, "no attribute is rated")
    return (judged(row, where, prompt, (answer,), None, names=("response",), ratings=(ratings,)),)
