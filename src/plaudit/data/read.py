"""Preference files to records. One Row per input row whatever came of it: rows = kept + rejected, by construction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from os import PathLike, fspath
from shlex import quote
from types import ModuleType
from typing import Any

from plaudit import catalog
from plaudit.data import layouts
from plaudit.data.columns import proposal, rename
from plaudit.data.limits import LIMITS, Limits
from plaudit.data.opening import files_of, head_of
from plaudit.data.sources import items
from plaudit.errors import DataError
from plaudit.records import Conversation, Preference, Record, conversation_digest
from plaudit.report.terminal import clean

ROOM = "plaudit.data.layouts"


@dataclass(frozen=True, slots=True)
class Row:
    """One input row. `where` is file:line, or file:record (from 1) in arrays, csv and parquet.

    `raw`: the bytes as they stand in JSON files (`framing.Beginning` of a row too long to hold); the record's JSON for
    csv (`tables.FromCells`, which has its own bytes too) and parquet. No `records`: rejected, and `reason` says why.
    Records and a reason: some of the row's judgements could not be used.
    """

    where: str
    raw: bytes
    layout: str
    records: tuple[Record, ...]
    reason: str | None = None

    @property
    def kept(self) -> bool:
        return bool(self.records)


def read(
    paths: str | PathLike | Sequence[str | PathLike],
    *,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Iterator[Row]:
    """Stream the rows of files (json, jsonl, csv, parquet, also gzipped), folders of them, or `hub:OWNER/NAME[:split]`.

    The format is told from the content; the layout from each file's first rows, unless `layout` names it. `columns`
    maps the file's column names to ours. Ids that repeat within one read get "~2", "~3".

    Raises DataError for a file that cannot be read at all: missing, empty, a git-lfs pointer, of no known layout.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> _ = file.write_text('{"prompt": "2+2?", "chosen": "4", "rejected": "5"}\\n{"prompt": "2+2?"')
    >>> [(row.kept, row.reason) for row in read(file)]
    [(True, None), (False, 'broken JSON: cut off before its end')]
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    files = [file for path in given for file in _expanded(fspath(path))]
    if layout is not None:
        catalog.load(ROOM, layout)
    seen: dict[int, int] = {}
    return chain.from_iterable(_file(path, layout, dict(columns or {}), limits, seen) for path in files)


def _expanded(path: str) -> list[str]:
    if path.startswith("hub:"):
        return [path]
    found = files_of(path)
    for file in found:
        head_of(file)  # a missing file is reported before the first is read
    return found


Parsed = tuple[str, bytes, dict[str, Any] | None, str]


def _file(
    path: str, layout: str | None, columns: dict[str, str], limits: Limits, seen: dict[int, int]
) -> Iterator[Row]:
    stream = _named(path, columns, limits)
    waiting: list[Parsed] = []
    name = layout
    if name is None:
        held = parsable = 0
        for item in stream:
            if not parsable and item[2] is None:
                yield Row(item[0], item[1], "", (), item[3])
                continue
            waiting.append(item)
            parsable += item[2] is not None
            held += len(item[1])
            if parsable >= limits.sniff_rows or held > limits.sniff_bytes:
                break
        if not parsable:
            return
        rows = [item[2] for item in waiting if item[2] is not None]
        name = layouts.detect(rows)
        if name is None:
            raise unrecognised(path, rows, columns)
    part = catalog.load(ROOM, name)
    for where, raw, row, reason in chain(waiting, stream):
        if row is None:
            yield Row(where, raw, name, (), reason)
        else:
            records, fault = _records(part, row, where)
            yield Row(where, raw, name, tuple(_unique(record, where, seen) for record in records), fault)


def _named(path: str, columns: dict[str, str], limits: Limits) -> Iterator[Parsed]:
    for number, raw, row, reason in items(path, limits):
        if columns and row is not None:
            renamed = rename(row, columns)
            row, reason = (None, renamed) if isinstance(renamed, str) else (renamed, "")
        yield f"{path}:{number}", raw, row, reason


def _records(part: ModuleType, row: dict[str, Any], where: str) -> tuple[list[Record], str | None]:
    """What a layout makes of one row, and why some or all of it cannot be used."""
    try:
        found = list(part.parse(row, where=where))
    except DataError as error:
        return [], error.reason
    if not found:
        return [], "holds no judgement"
    if len(found) == 1:
        fault = fault_of(found[0])
        return ([], fault) if fault else (found, None)
    good, first = [], None
    for place, record in enumerate(found, 1):
        fault = fault_of(record)
        if fault is None:
            good.append(record)
        elif first is None:
            first = f"judgement {place} of {len(found)}: {fault}"
    return good, first


def fault_of(record: Record) -> str | None:
    """Why a parsed record cannot be used: an empty response, or two that are the same text."""
    if not isinstance(record, Preference):
        return None if record.steps else "a solution without steps"
    responses, ranks = record.responses, record.ranks
    if not responses:
        return "no response"
    for i, response in enumerate(responses):
        if not _says_something(response):
            return f"{_side(record, i)} is empty"
    if len(responses) == 2:
        return f"{_side(record, 0)} and {_side(record, 1)} are identical" if responses[0] == responses[1] else None
    if ranks is None or len(responses) < 2:
        return None
    first_with: dict[str, int] = {}
    for i, response in enumerate(responses):
        j = first_with.setdefault(conversation_digest(response), i)
        if ranks[i] != ranks[j]:
            return f"responses {j + 1} and {i + 1} are identical, but ranked apart"
    return None


def _says_something(response: Conversation) -> bool:
    for message in response:
        for part in message.parts:
            if not isinstance(part, str) or (part and not part.isspace()):
                return True
    return False


def _side(record: Preference, i: int) -> str:
    if record.ranks is None or len(record.ranks) != 2 or record.ranks[0] == record.ranks[1]:
        return f"response {i + 1}"
    return "chosen" if record.ranks[i] < record.ranks[1 - i] else "rejected"


def _unique(record: Record, where: str, seen: dict[int, int]) -> Record:
    """The record with its source, and with an id that no other of this read has."""
    key = hash(record.id)  # 8 bytes each instead of 80: a file of millions stays small
    if key not in seen:
        seen[key] = 1
        return record if record.source == where else replace(record, source=where)
    count = seen[key] = seen[key] + 1
    return _unique(replace(record, id=f"{record.id}~{count}"), where, seen)


def unrecognised(path: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> DataError:
    """The error for a file whose rows no layout recognises: the keys that it has, and the layouts that come near.

    `rows` carry our names where `columns` renamed them; the message has those of the file.
    """
    ours = list(dict.fromkeys(key for row in rows for key in row))
    theirs = {name: key for key, name in columns.items()}
    keys = [theirs.get(key, key) for key in ours]
    words = {name: catalog.summary(ROOM, name) for name in catalog.names(ROOM)}
    near = sorted(words, key=lambda name: -sum(f"`{key}`" in words[name] for key in ours))
    shown = ", ".join(clean(key, 40) for key in keys[:12]) + (", ..." if len(keys) > 12 else "")
    said = [f"{name}={key}" for key, name in columns.items()]
    example = quote(clean(",".join([*said, proposal(rows)]), 200))
    return DataError(
        path,
        f"no layout recognises these rows; their keys are {shown or '(none)'}",
        advice=f"name the columns, as in --columns {example}, "
        f"or force a layout with --layout; nearest: {', '.join(near[:3])}",
    )
