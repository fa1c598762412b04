"""plaudit's own rows: `prompt`, `responses`, `ranks` and every column of a record; `steps` and `labels` for solutions.

Holds everything a record can be: ties, lists, one response, nobody's judgement, ratings, turns with other media.
"""

from collections.abc import Iterable
from typing import Any

from plaudit.data.layouts._fields import Row, decoded, items, kind, strings, whole
from plaudit.data.layouts._pairs import PAIR_FIELDS, judged
from plaudit.data.layouts._steps import solution
from plaudit.errors import DataError
from plaudit.records import Conversation, Message, Preference, Record, Steps

SPECIFICITY = 50
HOLDS = PAIR_FIELDS | {"order", "raw"}
PARQUET = {
    "prompt": "turns", "responses": "list of turns", "ranks": "numbers", "steps": "texts", "labels": "booleans",
    "final_correct": "boolean",
}  # fmt: skip


def recognises(row: Row) -> bool:
    if "responses" in row and "ranks" in row:
        return True
    return "prompt" in row and isinstance(row.get("steps"), list) and isinstance(row.get("labels"), list)


def parse(row: Row, *, where: str) -> Iterable[Record]:
    prompt = _turns(decoded(row.get("prompt") or [], "prompt", where), "prompt", where)
    if row.get("steps") is not None:
        return (_steps(row, where, prompt),)
    answers = tuple(
        _turns(decoded(answer, "responses", where), f"response {i}", where)
        for i, answer in enumerate(decoded(items(row, "responses", where), "responses", where), 1)
    )
    if not answers:
        raise DataError(where, "no response")
    names = [f"response {i}" for i in range(1, len(answers) + 1)]
    ranks = row.get("ranks")
    if ranks is not None:
        ranks = tuple(whole({"ranks": rank}, "ranks", where) for rank in items(row, "ranks", where))
        if len(ranks) != len(answers):
            raise DataError(where, f"{len(ranks)} ranks for {len(answers)} responses")
        place = {rank: i for i, rank in enumerate(sorted(set(ranks)))}  # 0 is best, whatever the file counts from
        ranks = tuple(place[rank] for rank in ranks)
    return (judged(row, where, prompt, answers, ranks, names=names),)


def _turns(value: Any, key: str, where: str) -> Conversation:
    """Messages exactly as written; those that parquet cannot hold as text carry their parts as JSON."""
    if type(value) is not list:
        raise DataError(where, f"{key} is {kind(value)}, not messages")
    return tuple([_turn(message, key, where) for message in value])


def _turn(value: Any, key: str, where: str) -> Message:
    if type(value) is not dict or type(value.get("role")) is not str:
        raise DataError(where, f"{key} holds something that is not a message with a role")
    content = value.get("content")
    if type(content) is str:
        return Message(value["role"], (content,))
    parts = decoded(value.get("parts"), key, where) if content is None else content
    if type(parts) is not list or not all(type(part) in (str, dict) for part in parts):
        raise DataError(where, f"{key} holds a message whose content is {kind(parts)}")
    return Message(value["role"], tuple(parts))


def _steps(row: Row, where: str, prompt: Conversation) -> Steps:
    labels = items(row, "labels", where)
    for i, value in enumerate(labels, 1):
        if value is not None and type(value) is not bool:
            raise DataError(where, f"label {i} is {kind(value)}, not true or false")
    final = row.get("final_correct")
    if final is not None and type(final) is not bool:
        raise DataError(where, f"final_correct is {kind(final)}, not true or false")
    return solution(row, where, prompt, strings(row, "steps", where), labels, final_correct=final)


def write(record: Record) -> Row:
    row: Row = {"id": record.id, "prompt": _plain(record.prompt)}
    if isinstance(record, Steps):
        row |= {"steps": list(record.steps), "labels": list(record.labels), "final_correct": record.final_correct}
        return row | {"tags": dict(record.tags), "source": record.source}
    row["responses"] = [_plain(answer) for answer in record.responses]
    row["ranks"] = None if record.ranks is None else list(record.ranks)
    if record.ratings:
        row["ratings"] = [dict(rated) for rated in record.ratings]
    for name in ("strength", "target", "margin", "weight", "annotator", "group"):
        row[name] = getattr(record, name)
    return row | {"tags": dict(record.tags), "source": record.source}


def _plain(messages: Conversation) -> list[Row]:
    """Content is text where it is one part, else the list of parts, unchanged."""
    return [
        {"role": m.role, "content": m.parts[0] if len(m.parts) == 1 and isinstance(m.parts[0], str) else list(m.parts)}
        for m in messages
    ]


def swap(row: Row, record: Preference) -> Row:
    """The ranks of a pair trade places."""
    ranks = row.get("ranks")
    if ranks is not None and len(ranks) == 2:
        row["ranks"] = ranks[::-1]
    return row
