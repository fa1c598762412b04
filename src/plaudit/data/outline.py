"""What files hold, in one pass and one light line per response: digests, lengths, marks, ranks. Texts are not kept."""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.data.decode import without_place
from plaudit.data.pairs import carries_columns
from plaudit.data.read import Row
from plaudit.data.solutions import Solutions
from plaudit.data.split import GroupBy, group_digest, text_digest
from plaudit.records import Conversation, Preference

OTHER = "other reasons"  # where there are too many kinds
_TAG_SETS = 65536  # distinct combinations of tags that are told apart; later ones are -1
# What begins a list item is captured, what begins another marked line is not; far faster than ^ per line.
_MARKED_LINE = re.compile(r"\n[ \t]*(?:([-*+•] |\d{1,3}[.)] )|#{1,6} |```|>)").findall


@dataclass(slots=True)
class FileCount:
    """Rows of one file. rows = kept + rejected; `partly` of the kept ones hold judgements that could not be used."""

    path: str
    layout: str = ""
    rows: int = 0
    kept: int = 0
    rejected: int = 0
    partly: int = 0
    preferences: int = 0
    steps: int = 0
    carried: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    solutions: Solutions = field(default_factory=Solutions)


@dataclass(frozen=True, slots=True)
class Outline:
    """Columns per preference [P] and per response [N]; responses of preference i are `first[i]:first[i + 1]`.

    `file`: index into `files`; `number`: line or record. `prompt`, `group`, `response`: 64-bit digests. `chars`: length
    of the response's last turn, `lists` and `marks` its `form`; `turns`: human turns of the prompt. `rank`: -1 when
    nobody judged.
    """

    files: tuple[FileCount, ...]
    annotators: tuple[str, ...]
    tag_sets: tuple[Mapping[str, str], ...]
    preference: Mapping[str, NDArray[Any]]  # file number prompt group chars turns annotator strength tags first
    response: Mapping[str, NDArray[Any]]  # digest chars lists marks rank
    ids: bytes
    id_ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.preference["file"])

    def id(self, i: int) -> str:
        """The id of preference i."""
        return self.ids[self.id_ends[i - 1] if i else 0 : self.id_ends[i]].decode("utf-8", "surrogatepass")

    def source(self, i: int) -> str:
        """file:line of preference i."""
        return f"{self.files[self.preference['file'][i]].path}:{self.preference['number'][i]}"


def conversation_key(messages: Conversation) -> tuple[int, int]:
    """64-bit digest of roles and contents, and the characters of the text."""
    if len(messages) == 1 and len(messages[0].parts) == 1 and isinstance(text := messages[0].parts[0], str):
        return text_digest(f"{messages[0].role}:{len(text)}:{text}"), len(text)  # the same as below, and most of them
    chars, parts = 0, []
    for message in messages:
        for part in message.parts:
            text = part if isinstance(part, str) else repr(sorted(part.items()))
            chars += len(text)
            parts.append(f"{message.role}:{len(text)}:{text}")
    return text_digest("".join(parts)), chars


def form(text: str) -> tuple[int, int]:
    """List items; and headings, quotations, code fences and passages in bold.

    >>> form("# Two things\\n- **one**\\n2. two")
    (2, 2)
    """
    found = _MARKED_LINE("\n" + text)
    other = found.count("")
    return len(found) - other, other + text.count("**") // 2


def marks(text: str) -> int:
    """All of `form` together."""
    return sum(form(text))


_UINT = 0xFFFFFFFF
_PREFERENCE = {"file": "i", "number": "q", "prompt": "Q", "group": "Q", "chars": "I", "turns": "H", "strength": "f",
               "annotator": "i", "tags": "i", "first": "q"}  # fmt: skip
_RESPONSE = {"digest": "Q", "chars": "I", "lists": "H", "marks": "H", "rank": "i"}


@dataclass(slots=True)
class _Growing:
    """What one pass has gathered and not yet put into columns."""

    files: dict[str, tuple[int, FileCount]] = field(default_factory=dict)
    annotators: dict[str, int] = field(default_factory=dict)
    tags: dict[tuple, int] = field(default_factory=dict)
    ids: bytearray = field(default_factory=bytearray)
    id_ends: array = field(default_factory=lambda: array("q"))
    lines: list[tuple] = field(default_factory=list)
    answers: list[tuple] = field(default_factory=list)
    answered: int = 0


def outline(rows: Iterable[Row], by: GroupBy = "auto") -> Outline:
    """One pass over rows; about 150 bytes are kept per pair. `by`: what makes two preferences share a prompt group.

    >>> from plaudit.records import pair
    >>> o = outline([Row("a.jsonl:1", b"", "trl_explicit", (pair("Why?", "Because.", "No", id="x"),))])
    >>> len(o), o.id(0), o.source(0), o.response["chars"].tolist()
    (1, 'x', 'a.jsonl:1', [8, 2])
    """
    preference = {name: array(code) for name, code in _PREFERENCE.items()}
    response = {name: array(code) for name, code in _RESPONSE.items()}
    preference["first"].append(0)
    growing = _Growing()
    for row in rows:
        _take(growing, row, by)
        if len(growing.lines) >= 2048:
            _flush(growing.lines, preference)
            _flush(growing.answers, response)
    _flush(growing.lines, preference)
    _flush(growing.answers, response)
    return Outline(
        tuple(count for _, count in growing.files.values()), tuple(growing.annotators), tuple(map(dict, growing.tags)),
        {name: _array(values) for name, values in preference.items()},
        {name: _array(values) for name, values in response.items()}, bytes(growing.ids), _array(growing.id_ends),
    )  # fmt: skip


def _take(growing: _Growing, row: Row, by: GroupBy) -> None:
    path, _, number = row.where.rpartition(":")
    found = growing.files.get(path)
    if found is None:
        found = growing.files[path] = (len(growing.files), FileCount(path))
    place, count = found
    _count(count, row)
    for record in row.records:
        if not isinstance(record, Preference):
            continue
        who = growing.annotators.setdefault(record.annotator, len(growing.annotators))
        tags = _code(growing.tags, record.tags)
        growing.answered += len(record.responses)
        growing.lines.append((place, int(number), *_line(record, by), who, tags, growing.answered))
        growing.answers += _answers(record)
        growing.ids += record.id.encode("utf-8", "surrogatepass")
        growing.id_ends.append(len(growing.ids))


def _flush(lines: list[tuple], columns: dict[str, array]) -> None:
    for values, found in zip(columns.values(), zip(*lines)):
        values.extend(found)
    lines.clear()


def _array(values: array) -> NDArray[Any]:
    return np.frombuffer(values, dtype=values.typecode) if len(values) else np.zeros(0, values.typecode)


def _count(count: FileCount, row: Row) -> None:
    count.rows += 1
    count.layout = count.layout or row.layout
    if not row.records:
        count.rejected += 1
    else:
        count.kept += 1
        count.partly += row.reason is not None
    if row.reason is not None:
        reason = without_place(row.reason)
        reason = reason if len(count.reasons) < 1000 or reason in count.reasons else OTHER
        count.reasons[reason] = count.reasons.get(reason, 0) + 1
    for record in row.records:
        if isinstance(record, Preference):
            count.preferences += 1
            count.carried += carries_columns(record)
        else:
            count.steps += 1
            count.solutions.add(record)


def _code(tags: dict[tuple, int], found: Mapping[str, str]) -> int:
    if len(tags) >= _TAG_SETS:
        return tags.get(tuple(sorted(found.items())), -1)
    return tags.setdefault(tuple(sorted(found.items())) if found else (), len(tags))


def _line(record: Preference, by: GroupBy) -> tuple[int, int, int, int, float]:
    """Prompt and group digests, characters and human turns of the prompt, strength."""
    prompt, chars = conversation_key(record.prompt)
    turns = [m.role for m in record.prompt].count("user")
    strength = float("nan") if record.strength is None else record.strength
    return prompt, group_digest(record, by), min(chars, _UINT), min(turns, 65535), strength


def _answers(record: Preference) -> Iterator[tuple[int, int, int, int, int]]:
    """Digest, characters, list items and other marks of the last turn, and rank of every response."""
    ranks = record.ranks
    for i, messages in enumerate(record.responses):
        text = messages[-1].text if messages else ""
        rank = -1 if ranks is None else ranks[i]
        lists, other = form(text)
        yield conversation_key(messages)[0], min(len(text), _UINT), min(lists, 65535), min(other, 65535), rank
