"""Files being written: rows go to a hidden sibling that takes the name when all is there, and never replaces a file."""

import csv
import gzip
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from plaudit.errors import DataError, OptionError, PlauditError

Row = dict[str, Any]
_BATCH = 1024  # rows of a parquet row group
_OWN = {
    "id": "text", "strength": "number", "target": "number", "margin": "number", "weight": "number",
    "annotator": "text", "group": "text", "tags": "tags", "ratings": "ratings",
}  # fmt: skip
_PLAIN = {"text", "number", "boolean"}


class Form(Protocol):
    """How rows become bytes of one kind of file."""

    def put(self, row: Row) -> None: ...
    def close(self) -> None: ...


class Sink:
    """A file that is being written; it exists under its name only after `publish`."""

    def __init__(self, target: Path, part: Path, form: Form, file: Any) -> None:
        self._target, self._part, self._form, self._file = target, part, form, file

    def put(self, row: Row) -> None:
        """Write one row; raises DataError for a row that this kind of file cannot hold."""
        self._form.put(row)

    def publish(self) -> None:
        """Finish, sync and give the file its name, unless the name was taken meanwhile."""
        try:
            self._form.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            claim(self._part, self._target)
        except FileExistsError as error:
            raise PlauditError(f"{self._target} exists already", advice="choose another --output") from error

    def abandon(self) -> None:
        """Leave nothing behind; after `publish` there is nothing to leave."""
        with suppress(OSError, ValueError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def claim(part: Path, target: Path) -> None:
    """Rename that never replaces: a hard link fails where the name is taken; without links, look and rename."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        os.rename(part, target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def sink(target: Path, columns: Mapping[str, str], holds: frozenset[str], *, document: bool = False) -> Iterator[Sink]:
    """A sink for `target`; its suffix decides the form. What is not published is removed.

    `columns`: the layout's own columns and their types, needed by csv and parquet; `holds`: which of ours stand beside.
    """
    target = Path(target)
    name = target.name.lower()
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    kind = _kind(target, columns)
    wide = dict(columns) | {key: _OWN[key] for key in _OWN if key in holds}
    if columns and holds:
        wide["source"] = "text"
    try:
        file = open(part, "wb")  # noqa: SIM115 - closed by publish or abandon
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
    raw: Any = gzip.GzipFile("", "wb", 6, file, mtime=0) if name.endswith(".gz") else file
    made: Form = _Document(raw) if document else _FORMS[kind](raw, wide)
    out = Sink(target, part, made, file)
    try:
        yield out
    except OSError as error:
        raise PlauditError(f"{error.filename or target}: cannot be written: {error.strerror or error}") from error
    finally:
        out.abandon()


def _kind(target: Path, columns: Mapping[str, str]) -> str:
    suffix = Path(target.name.lower().removesuffix(".gz")).suffix
    kind = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}.get(suffix)
    if kind is None:
        raise OptionError([f"--output {target.name}: unknown suffix"], advice="known: .jsonl, .json, .csv, .parquet")
    if kind == "parquet" and target.name.lower().endswith(".gz"):
        raise OptionError([f"--output {target.name}: parquet is compressed already"], advice="leave .gz out")
    if kind == "csv" and not (columns and set(columns.values()) <= _PLAIN):
        raise OptionError([f"--output {target.name}: csv cannot hold messages"], advice="use .jsonl or .parquet")
    return kind


class _Lines:
    """One JSON object a line."""

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        self._file, self._encode = file, msgspec.json.Encoder().encode

    def put(self, row: Row) -> None:
        self._file.write(self._encode(row) + b"\n")

    def close(self) -> None:
        _end(self._file)


class _Array:
    """One JSON array, an object a line."""

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        self._file, self._encode, self._mark = file, msgspec.json.Encoder().encode, b"[\n"

    def put(self, row: Row) -> None:
        self._file.write(self._mark + self._encode(row))
        self._mark = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._mark == b"[\n" else b"\n]\n")
        _end(self._file)


class _Document:
    """One JSON object, indented for people."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def put(self, row: Row) -> None:
        self._file.write(msgspec.json.format(msgspec.json.encode(row), indent=2) + b"\n")

    def close(self) -> None:
        _end(self._file)


def _end(file: Any) -> None:
    if isinstance(file, gzip.GzipFile):
        file.close()  # ends the compressed stream; the file below stays open


class _Cells:
    """csv with a header; our tags and ratings are JSON in their cells."""

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        self._file, self._names = file, list(columns)
        self._cells(dict(zip(self._names, self._names)))

    def put(self, row: Row) -> None:
        cells = {}
        for name in self._names:
            value = row.get(name)
            cells[name] = msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
        self._cells(cells)

    def _cells(self, cells: Mapping[str, Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([cells[name] for name in self._names])
        self._file.write(line.getvalue().encode("utf-8"))

    def close(self) -> None:
        _end(self._file)


class _Table:
    """parquet with a fixed schema, written a row group at a time."""

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = _types()
        self._columns = columns
        self._schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        self._table = pa.Table
        self._rows: list[Row] = []
        self._writer = pq.ParquetWriter(file, self._schema)

    def put(self, row: Row) -> None:
        self._rows.append({name: _cell(row.get(name), kind, row) for name, kind in self._columns.items()})
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
        self._rows = []

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def _types() -> dict[str, Any]:
    import pyarrow as pa

    text, number, flag = pa.string(), pa.float64(), pa.bool_()
    messages = pa.list_(pa.struct([("role", text), ("content", text)]))
    turns = pa.list_(pa.struct([("role", text), ("content", text), ("parts", text)]))
    said = pa.struct([("from", text), ("value", text)])
    return {
        "text": text, "number": number, "boolean": flag, "texts": pa.list_(text), "booleans": pa.list_(flag),
        "numbers": pa.list_(pa.int64()), "tags": pa.map_(text, text), "ratings": pa.list_(pa.map_(text, number)),
        "messages": messages, "turns": turns, "list of turns": pa.list_(turns), "sharegpt message": said,
        "sharegpt": pa.list_(said), "ranked": pa.list_(pa.struct([("rank", pa.int64()), ("completion", messages)])),
    }  # fmt: skip


def _cell(value: Any, kind: str, row: Row) -> Any:
    """A value as its column's type takes it; raises for a turn that would lose something."""
    if value is None:
        return None
    if kind == "tags":
        return list(value.items())
    if kind == "ratings":
        return [list(rated.items()) for rated in value]
    if kind == "turns":
        return [_with_parts(message) for message in value]
    if kind == "list of turns":
        return [[_with_parts(message) for message in answer] for answer in value]
    if kind == "ranked":
        for item in value:
            _cell(item["completion"], "messages", row)
    if kind == "messages" and not (
        isinstance(value, list) and all(len(m) == 2 and isinstance(m["content"], str) for m in value)
    ):
        where = str(row.get("source") or row.get("id") or "")
        raise DataError(where, "a turn that is not only text (parquet needs canonical for that)")
    return value


def _with_parts(message: Row) -> Row:
    if isinstance(message["content"], str):
        return message
    return {"role": message["role"], "content": None, "parts": msgspec.json.encode(message["content"]).decode()}


_FORMS: dict[str, Any] = {"jsonl": _Lines, "json": _Array, "csv": _Cells, "parquet": _Table}
