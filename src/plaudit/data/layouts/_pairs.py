"""From the sides of a row to a record, and back: prompt splitting, our own columns, what a pair layout refuses."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from plaudit.data.layouts._fields import CARRIED, Row, decoded, encoded, kind, number
from plaudit.errors import DataError
from plaudit.records import RAW, Conversation, Message, Preference, Record, Steps, conversation_digest, digest

# Columns that become tags wherever they occur: what a report may be split by.
TAGS = frozenset({
    "subset", "domain", "category", "category_path", "source", "dataset", "scenario", "language", "objective",
    "data_subset", "topic", "task", "split", "chosen_model", "rejected_model", "generator", "tools",
    "chat_template_kwargs", "suggest_chosen_rejected", "suggest_confidence", "original_label", "images",
    "rejected_images", "motivation_app", "cmp_key",
})  # fmt: skip
PAIR_FIELDS = frozenset({"id", "strength", "target", "margin", "weight", "annotator", "group", "tags", "ratings"})
_NAMES = ("chosen", "rejected")


def columns(row: Row, where: str) -> dict[str, Any]:
    """The record's own fields that a row carries beside its texts: id, strength, target, margin, weight, ... and tags.

    A `tags` object marks a row that plaudit wrote: its `source` then says where it came from and is no tag.
    """
    found: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for key, value in row.items():
        if value is None or value == "":
            continue
        if key in TAGS:
            tags[key] = encoded(value)
        elif key in _OWN:
            field, read = _OWN[key]
            if field not in found or key == field:
                found[field] = read(row, key, where)
    if "tags" in found:
        tags.pop("source", None)
        found["tags"] = {**tags, **found["tags"]}
    elif tags:
        found["tags"] = tags
    return found


def name_of(row: Row, key: str, where: str) -> str:
    """A name or number that identifies something, as text."""
    value = row[key]
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise DataError(where, f"{key} is {kind(value)}, not text")


def _probability(row: Row, key: str, where: str) -> float:
    value = number(row, key, where)
    if not 0 <= value <= 1:
        raise DataError(where, f"{key} is {value:g}, outside 0..1")
    return value


def _weight(row: Row, key: str, where: str) -> float:
    value = number(row, key, where)
    if value < 0:
        raise DataError(where, f"{key} is {value:g}, below 0")
    return value


def _tags(row: Row, key: str, where: str) -> dict[str, str]:
    value = row[key]
    if type(value) is str and not value.startswith(("{", "[")):
        return {key: value}
    value = decoded(value, key, where)
    if type(value) is list and all(isinstance(item, str) for item in value):
        return {"tags": encoded(value)} if value else {}
    if type(value) is list:  # a parquet map arrives as a list of pairs
        value = dict(value) if all(isinstance(p, list | tuple) and len(p) == 2 for p in value) else None
    if type(value) is not dict:
        raise DataError(where, f"{key} is {kind(row[key])}, not an object")
    return {str(k): encoded(v) for k, v in value.items() if v is not None}


def _ratings(row: Row, key: str, where: str) -> tuple[dict[str, float], ...]:
    value = decoded(row[key], key, where)
    if type(value) is not list:
        raise DataError(where, f"{key} is {kind(value)}, not an array")
    if _bare_numbers(value):  # another tool's: one number a response
        return tuple([{"rating": float(item)} for item in value])
    return tuple([rating(item, key, where) for item in value])


def _bare_numbers(value: Any) -> bool:
    """Whether these are bare numbers."""
    return type(value) is list and bool(value) and all(type(item) in (int, float) and isfinite(item) for item in value)


def rating(value: Any, key: str, where: str) -> dict[str, float]:
    """Attribute to number; null attributes are left out."""
    if type(value) is list and all(isinstance(p, list | tuple) and len(p) == 2 for p in value):
        value = dict(value)
    if type(value) is not dict:
        raise DataError(where, f"{key} holds {kind(value)} where an object of numbers must be")
    return {name: number(value, name, where) for name, v in value.items() if v is not None}


_OWN = {
    "id": ("id", name_of),
    "strength": ("strength", number), "target": ("target", _probability), "margin": ("margin", number),
    "weight": ("weight", _weight), "annotator": ("annotator", name_of), "annotator_id": ("annotator", name_of),
    "group": ("group", name_of), "prompt_id": ("group", name_of), "tags": ("tags", _tags),
    "ratings": ("ratings", _ratings),
}  # fmt: skip
KNOWN = TAGS | _OWN.keys()  # columns that are read beside the texts of a pair


def shared_turns(chosen: Conversation, rejected: Conversation, where: str, names: Sequence[str] = _NAMES) -> int:
    """Length of the longest common run of whole turns that ends with a user turn: the implicit prompt."""
    if chosen == rejected:
        raise DataError(where, f"{names[0]} and {names[1]} are identical")
    cut = 0
    for same, (ours, theirs) in enumerate(zip(chosen, rejected), 1):
        if ours != theirs:
            break
        if ours.role == "user":
            cut = same
    if not cut:
        raise DataError(where, f"{names[0]} and {names[1]} answer different prompts")
    return cut


def refuse_faults(responses: Sequence[Conversation], where: str, names: Sequence[str]) -> None:
    """Raise for an empty response, or for two that are the same text."""
    for name, response in zip(names, responses):
        if not _says_something(response):
            raise DataError(where, f"{name} is empty")
    if len(responses) == 2 and responses[0] == responses[1]:
        raise DataError(where, f"{names[0]} and {names[1]} are identical")


def _says_something(response: Conversation) -> bool:
    for message in response:  # loops: generators cost as much again, and every row comes by here
        for part in message.parts:
            if not isinstance(part, str) or (part and not part.isspace()):
                return True
    return False


def judged(
    row: Row,
    where: str,
    prompt: Conversation,
    responses: tuple[Conversation, ...],
    ranks: tuple[int, ...] | None = (0, 1),
    *,
    names: Sequence[str] = _NAMES,
    **more: Any,
) -> Preference:
    """The record of a row: faults refused, our columns read, `more` winning over them, tags merged."""
    refuse_faults(responses, where, names)
    fields = columns(row, where)
    if more:
        if "tags" in more and "tags" in fields:
            more["tags"] = {**more["tags"], **fields["tags"]}
        fields.update(more)
    rated = fields.get("ratings", ())
    if len(rated) != len(responses) and _bare_numbers(decoded(row.get("ratings"), "ratings", where)):
        rated = fields.pop("ratings", ())[:0]  # of responses that this row does not hold
    if rated and len(rated) != len(responses):
        raise DataError(where, f"{len(rated)} ratings for {len(responses)} responses")
    key = fields.pop("id", "") or digest(
        conversation_digest(prompt), *map(conversation_digest, responses), fields.get("annotator", "")
    )
    return Preference(key, prompt, responses, ranks, source=where, **fields)


def in_order(first: float, second: float) -> tuple[int, int]:
    """Ranks of two scores, higher is better; equal scores tie."""
    return (0, 0) if first == second else (0, 1) if first > second else (1, 0)


def ranked(scores: Sequence[float]) -> tuple[int, ...]:
    """Dense ranks of scores, higher is better, equal scores tie.

    >>> ranked([3, 5, 3, 1])
    (1, 0, 1, 2)
    """
    place = {score: i for i, score in enumerate(sorted(set(scores), reverse=True))}
    return tuple(place[score] for score in scores)


def exchange(row: Row, *pairs: tuple[str, str]) -> Row:
    """Swap the values of pairs of keys in place; a key that is missing is missing on the other side afterwards."""
    for a, b in pairs:
        if a in row and b in row:
            row[a], row[b] = row[b], row[a]  # in place: the order of the keys stays
            continue
        first, second = row.pop(a, _ABSENT), row.pop(b, _ABSENT)
        if second is not _ABSENT:
            row[a] = second
        if first is not _ABSENT:
            row[b] = first
    return row


_ABSENT = object()


def refuse(record: Record, reason: str) -> DataError:
    """The error for a record that a layout cannot hold."""
    return DataError(record.source or record.id, reason)


def sides(record: Record) -> tuple[Preference, Conversation, Conversation]:
    """(record, better, worse) of a pair; raises for what a pair layout cannot hold."""
    if isinstance(record, Steps):
        raise refuse(record, "step labels")
    if len(record.responses) != 2:
        raise refuse(record, "one response" if len(record.responses) < 2 else "a list of more than two responses")
    if record.ranks is None:
        raise refuse(record, "not judged")
    if record.is_tie:
        raise refuse(record, "a tie")
    better, worse = record.comparisons()[0]
    return record, record.responses[better], record.responses[worse]


def plain(messages: Conversation) -> list[Row]:
    """Messages as `role`/`content`; content is text where it is one, else a list of parts."""
    return [_plain(message) for message in messages]


def _plain(message: Message) -> Row:
    carried = {}
    parts = []
    for part in message.parts:
        name = "" if isinstance(part, str) else str(part.get("type"))
        if name in CARRIED and not isinstance(part, str) and name in part and name not in carried:
            carried[name] = part[name]
        else:
            parts.append({"type": "text", "text": part} if isinstance(part, str) else dict(part))
    content: Any = parts
    if len(parts) == 1 and parts[0].get("type") == "text" and len(parts[0]) == 2:
        content = parts[0]["text"]
    elif not parts and carried:
        content = None
    return {"role": message.role, "content": content, **carried}


def only_text(messages: Conversation, record: Record) -> list[tuple[str, str]]:
    """(role, text) of each turn; raises where a turn holds more than text."""
    for message in messages:
        if not all(isinstance(part, str) for part in message.parts):
            raise refuse(record, "a turn that is not only text")
    return [(message.role, message.text) for message in messages]


def structured(record: Preference, name: str) -> Any:
    """What a tag that holds JSON says; None where there is no such tag, or it is no JSON."""
    try:
        return msgspec.json.decode(record.tags[name])
    except (KeyError, msgspec.MsgspecError, RecursionError):
        return None


def refuse_raw(record: Preference) -> None:
    """Raise for text that is already rendered, where a layout holds nothing but messages."""
    if is_raw(record):
        raise refuse(record, "text that is already rendered, where messages must be (trl and canonical hold it)")


def is_raw(record: Preference) -> bool:
    """Whether a record holds text that is already rendered."""
    return any(message.role == RAW for turns in (record.prompt, *record.responses) for message in turns)


def beside(record: Preference) -> Row:
    """Our own columns, those that differ from their defaults; ratings in the order of chosen and rejected.

    Tags and ratings are JSON as text: other tools read their files with `datasets`, which refuses an object whose keys
    are other ones further down the file.
    """
    row: Row = {"id": record.id}
    if record.ratings:
        better, worse = record.comparisons()[0]
        row["ratings"] = encoded([record.ratings[better], record.ratings[worse]])
    for name, default in _DEFAULTS.items():
        if (value := getattr(record, name)) != default:
            row[name] = value
    row["tags"] = encoded(record.tags)
    return row


_DEFAULTS: Mapping[str, Any] = {
    "strength": None, "target": None, "margin": 0.0, "weight": 1.0, "annotator": "", "group": "", "source": "",
}  # fmt: skip
