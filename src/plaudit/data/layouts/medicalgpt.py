"""MedicalGPT: `conversations`, text `chosen`, `rejected`; or `question`, `response_chosen`, `response_rejected`.

The second form may carry `system` and `history`. In LLaMA-Factory's files the sides are objects instead of text.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, is_turns, maybe, text, turns
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.data.layouts.alpaca import opening
from plaudit.records import Preference, message

SPECIFICITY = 30


def recognises(row: Row) -> bool:
    if isinstance(row.get("response_chosen"), str):
        return "question" in row and "response_rejected" in row
    return is_turns(row.get("conversations")) and isinstance(row.get("chosen"), str) and "rejected" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    if "conversations" in row:
        names = ("chosen", "rejected")
        prompt = turns(row["conversations"], "conversations", where)
        if system := maybe(row, "system", where):
            prompt = (message("system", system), *prompt)
    else:
        names = ("response_chosen", "response_rejected")
        prompt = (*opening(row, where), message("user", filled(row, "question", where)))
    better, worse = (message("assistant", text(row, name, where)) for name in names)
    return (judged(row, where, prompt, ((better,), (worse,)), names=names),)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"), ("response_chosen", "response_rejected"))
