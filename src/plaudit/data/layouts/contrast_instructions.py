"""Contrast Instructions, Stack Exchange pairs: `question`, `response_j` (better), `response_k`, with scores in some."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, number, text
from plaudit.data.layouts._pairs import exchange, judged
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("response_j", "response_k")


def recognises(row: Row) -> bool:
    return "question" in row and all(name in row for name in _NAMES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = (message("user", filled(row, "question", where)),)
    sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
    more: dict = {}
    if all(row.get(f"{name}_score") is not None for name in _NAMES):
        scores = [number(row, f"{name}_score", where) for name in _NAMES]
        more = {"ratings": tuple({"score": score} for score in scores), "strength": scores[0] - scores[1]}
    ranks = (0, 0) if more.get("strength") == 0 else (0, 1)
    return (judged(row, where, prompt, sides, ranks, names=_NAMES, **more),)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, _NAMES, ("response_j_score", "response_k_score"))
