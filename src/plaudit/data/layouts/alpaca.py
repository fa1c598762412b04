"""Alpaca ranking: `instruction`, `input`, `chosen`, `rejected` as text; also `system` and `history` (LLaMA-Factory)."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, items, maybe, text
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.errors import DataError
from plaudit.records import Conversation, Preference, message

SPECIFICITY = 20


def recognises(row: Row) -> bool:
    return isinstance(row.get("instruction"), str) and isinstance(row.get("chosen"), str) and "rejected" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    asked, given = filled(row, "instruction", where), maybe(row, "input", where)
    prompt = (*opening(row, where), message("user", f"{asked}\n{given}" if given else asked))
    sides = ((message("assistant", text(row, "chosen", where)),), (message("assistant", text(row, "rejected", where)),))
    return (judged(row, where, prompt, sides),)


def opening(row: Row, where: str) -> Conversation:
    """The `system` text and the `history` of question and answer pairs, as turns."""
    turns = []
    if system := maybe(row, "system", where):
        turns.append(message("system", system))
    for exchanged in items(row, "history", where) if row.get("history") else ():
        if type(exchanged) is not list or len(exchanged) != 2 or not all(isinstance(t, str) for t in exchanged):
            raise DataError(where, "history holds something that is not a question and an answer")
        turns += [message("user", exchanged[0]), message("assistant", exchanged[1])]
    return tuple(turns)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
