"""axolotl's `bradley_terry.chat_template`: `system`, `input`, `chosen`, `rejected` as text."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, maybe, text
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.records import Conversation, Preference, message

SPECIFICITY = 10


def recognises(row: Row) -> bool:
    if any(key in row for key in ("instruction", "prompt", "question")):
        return False
    return isinstance(row.get("input"), str) and isinstance(row.get("chosen"), str) and "rejected" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt: Conversation = (message("user", filled(row, "input", where)),)
    if system := maybe(row, "system", where):
        prompt = (message("system", system), *prompt)
    sides = ((message("assistant", text(row, "chosen", where)),), (message("assistant", text(row, "rejected", where)),))
    return (judged(row, where, prompt, sides),)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
