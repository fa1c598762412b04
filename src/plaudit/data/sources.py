"""What a file holds, told from its content: JSON lines, an array, an object of rows, csv or parquet; and its rows."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from plaudit.data import framing
from plaudit.data.decode import Broken, decode
from plaudit.data.limits import Limits
from plaudit.data.opening import BLOCK, PARQUET, Cut, blocks, failure, head_of
from plaudit.data.tables import Item, from_csv, from_hub, from_parquet
from plaudit.errors import DataError

BOM = b"\xef\xbb\xbf"
_OBJECT_OF_ROWS = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{')
_ANOTHER_ROW = re.compile(rb'\}\s*,\s*"(?:[^"\\]|\\.)*"\s*:\s*\{')
_PARTS = {"chosen", "rejected", "prompt", "question", "messages"}  # keys of one row, not names of rows


def items(path: str, limits: Limits) -> Iterator[Item]:
    """(number, raw bytes, row or None, reason) of every row in order; `number` is the line in JSON lines."""
    if path.startswith("hub:"):
        yield from from_hub(path)
        return
    head = head_of(path)
    if head.startswith(PARQUET):
        yield from from_parquet(path)
        return
    try:
        start, rest = _peek(blocks(path, head), path)
        kind = kind_of(start, path)
        if kind == "csv":
            yield from from_csv(rest, path, limits)
            return
        lines = kind == "lines"
        framed = framing.lines(rest, limits) if lines else framing.values(rest, limits, inside=kind != "values")
        for number, raw, reason in framed:
            if reason and reason != framing.BROKEN:
                yield number, raw, None, reason
                continue
            try:
                row = decode(raw, limits)
            except Broken as broken:
                yield number, raw, None, str(broken)
            else:
                yield number, raw, (None if reason else row), reason
    except OSError as error:
        raise failure(path, error) from error


def whole(path: str, row: framing.Beginning) -> Iterator[bytes]:
    """Every byte of a row too long to hold, in blocks, from the file once more."""
    skip, left = row.at, row.size
    try:
        for block in _peek(blocks(path, head_of(path)), path)[1]:
            if skip >= len(block):
                skip -= len(block)
                continue
            piece = block[skip : skip + left]
            skip, left = 0, left - len(piece)
            yield piece
            if not left:
                return
    except Cut:
        return  # the row is cut where its file is


def form_of(path: str) -> str:
    """How rows lie in a file: 'parquet', 'csv', 'lines', 'array', 'object' (of rows) or 'values' (one by one)."""
    head = head_of(path)
    return "parquet" if head.startswith(PARQUET) else kind_of(_peek(blocks(path, head), path)[0], path)


def _peek(source: Iterator[bytes], path: str) -> tuple[bytes, Iterable[bytes]]:
    """The first bytes without their byte order mark, and the whole stream again."""
    got: list[bytes] = []
    cut: Cut | None = None
    try:
        for block in source:
            got.append(block)
            if sum(map(len, got)) >= BLOCK:
                break
    except Cut as error:
        cut = error
    start = b"".join(got).removeprefix(BOM)
    if cut is not None and not start:
        raise DataError(path, f"{cut}, before the first byte", advice="fetch it again") from cut

    def again() -> Iterator[bytes]:
        if start:
            yield start
        if cut is not None:
            raise cut
        yield from source

    return start, again()


def kind_of(start: bytes, path: str) -> str:
    """'lines', 'array', 'object' (of rows), 'values' (one after another) or 'csv'; the name decides only in doubt.

    >>> kind_of(b'{"a": 1}\\n{"a": 2}\\n', "x"), kind_of(b'[\\n {"a": 1}]', "x"), kind_of(b"a,b\\n1,2", "x")
    ('lines', 'array', 'csv')
    """
    text = start.strip()
    if not text:
        raise DataError(path, "the file is empty" if not start else "the file holds nothing but white space")
    head = [line.strip() for line in islice(_lines(start), 50)]
    rows = [row for row in map(_object, head) if row is not None]
    pretty = head[0] in (b"[", b"{", b"[{")
    if (len(rows) * 2 > len(head) > 1) or (len(rows) >= 2 and not pretty):
        return "lines"
    first = text[:1]
    if first == b"[":
        return "lines" if len(head) > 1 and _list(head[0]) else "array"
    if first == b"{":
        return _kind_of_objects(start, head, rows, pretty)
    return "lines" if rows else _kind_of_text(start, head, path)


def _kind_of_objects(start: bytes, head: list[bytes], rows: list[dict[str, Any]], pretty: bool) -> str:
    if len(head) == 1 and rows:
        values = list(rows[0].values())
        return "object" if values and all(type(v) is dict for v in values) and not _PARTS & set(rows[0]) else "lines"
    if pretty:
        return "object" if _OBJECT_OF_ROWS.match(start.strip()) else "values"
    single = not rows and _OBJECT_OF_ROWS.match(head[0]) and _ANOTHER_ROW.search(head[0])
    return "object" if single and not any(head[0].startswith(b'{"%s"' % part.encode()) for part in _PARTS) else "lines"


def _kind_of_text(start: bytes, head: list[bytes], path: str) -> str:
    name = path.lower()
    try:
        start.decode("utf-8")
        binary = b"\0" in start
    except UnicodeDecodeError as wrong:
        binary = wrong.start < len(start) - 3 or len(start) < BLOCK  # a character may be cut where the peek ends
    if binary and not name.removesuffix(".gz").endswith((".csv", ".tsv")):
        if name.endswith(".gz"):
            raise DataError(path, "named .gz, but neither gzip nor text", advice="fetch it again")
        raise DataError(path, "binary data: neither JSON, csv nor parquet", advice="save it as JSONL or parquet")
    if name.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson")):
        return "lines"
    if max(head[0].count(mark) for mark in (b",", b"\t", b";")) or name.removesuffix(".gz").endswith((".csv", ".tsv")):
        return "csv"
    raise DataError(path, "neither JSON, csv nor parquet", advice="save it as JSONL or parquet")


def _lines(start: bytes) -> Iterator[bytes]:
    for line in start.split(b"\n"):
        if line.strip():
            yield line


def _object(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if type(value) is dict else None


def _list(line: bytes) -> bool:
    try:
        return type(msgspec.json.decode(line)) is list
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
