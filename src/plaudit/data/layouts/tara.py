"""TARA (Tool-Augmented Reward Model): `question`, `pos_answer` and `neg_answer` objects with an `answer` each."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, mapping, text
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.records import Preference, message

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return isinstance(row.get("pos_answer"), dict) and "neg_answer" in row and "question" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = (message("user", filled(row, "question", where)),)
    better = text(mapping(row, "pos_answer", where), "answer", where)
    worse = text(mapping(row, "neg_answer", where), "answer", where)
    return (judged(row, where, prompt, ((message("assistant", better),), (message("assistant", worse),))),)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("pos_answer", "neg_answer"))
