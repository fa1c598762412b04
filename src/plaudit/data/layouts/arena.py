"""Chatbot Arena: `prompt`, `response_a`, `response_b` (JSON lists as text), `winner_model_a`, `_b`, `winner_tie`.

Also the form with `conversation_a`, `conversation_b` and `winner` (model_a, model_b, tie, tie (bothbad)).
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, decoded, kind, text, turns, whole
from plaudit.data.layouts._pairs import exchange, judged, shared_turns
from plaudit.errors import DataError
from plaudit.records import Conversation, Preference, message

SPECIFICITY = 40
_FLAGS = ("winner_model_a", "winner_model_b", "winner_tie")
_RANKS = ((0, 1), (1, 0), (0, 0))


def recognises(row: Row) -> bool:
    if "conversation_a" in row:
        return "conversation_b" in row and "winner" in row
    return "response_a" in row and "response_b" in row and "winner_model_a" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    if "conversation_a" in row:
        names = ("conversation_a", "conversation_b")
        first, second = (turns(decoded(row.get(name), name, where), name, where) for name in names)
    else:
        names = ("response_a", "response_b")
        first, second = (_talk(row, name, where) for name in names)
    cut = shared_turns(first, second, where, names)
    tags = {name: str(row[name]) for name in ("model_a", "model_b") if row.get(name)}
    more = {"annotator": str(row.get("judge") or ""), "tags": tags}
    return (judged(row, where, first[:cut], (first[cut:], second[cut:]), _winner(row, where), names=names, **more),)


def _talk(row: Row, name: str, where: str) -> Conversation:
    asked, answers = _texts(row, "prompt", where), _texts(row, name, where)
    if len(asked) != len(answers):
        raise DataError(where, f"{len(asked)} prompts and {len(answers)} answers in {name}")
    return tuple(m for q, a in zip(asked, answers) for m in (message("user", q), message("assistant", a)))


def _texts(row: Row, key: str, where: str) -> list[str]:
    value = row.get(key)
    if isinstance(value, str) and not value.startswith("["):
        return [value]
    value = decoded(value, key, where)
    if type(value) is not list:
        raise DataError(where, f"{key} is {kind(value)}, not an array" if key in row else f"{key} is missing")
    for i, item in enumerate(value, 1):
        if type(item) is not str:
            raise DataError(where, f"{key} {i} is {kind(item)}, not text")
    return value


def _winner(row: Row, where: str) -> tuple[int, int]:
    if "winner" in row:
        verdict = text(row, "winner", where)
        if verdict not in ("model_a", "model_b") and not verdict.startswith("tie"):
            raise DataError(where, f"winner is {verdict[:20]!r}, not model_a, model_b or tie")
        return (0, 1) if verdict == "model_a" else (1, 0) if verdict == "model_b" else (0, 0)
    flags = [whole(row, name, where) if not isinstance(row.get(name), bool) else int(row[name]) for name in _FLAGS]
    if sorted(flags) != [0, 0, 1]:
        raise DataError(where, "not exactly one of winner_model_a, winner_model_b, winner_tie is set")
    return _RANKS[flags.index(1)]


def swap(row: Row, record: Preference) -> Row:
    """The verdict moves to the other model; the texts stay."""
    if "winner" in row:
        row["winner"] = {"model_a": "model_b", "model_b": "model_a"}.get(row["winner"], row["winner"])
        return row
    return exchange(row, ("winner_model_a", "winner_model_b"))
