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
    "annotator": "text", "group": "text", "tags": "json", "ratings": "json",
}  # fmt: skip
_PLAIN = {"text", "number", "boolean"}
_FIRST_LOOK = 8 << 20  # `datasets`, which other tools read with, fixes the columns after the first 10 MB of JSON


class Form(Protocol):
    """How rows become bytes of one kind of file; `columns`: the only ones it has, None where every row has its own."""

    columns: Mapping[str, str] | None

    def put(self, row: Row) -> None: ...
    def close(self) -> None: ...


class Sink:
    """A file that is being written; it exists under its name only after `publish`."""

    def __init__(self, target: Path, part: Path, form: Form, file: Any, raw: Any) -> None:
        self._target, self._part, self._form, self._file, self._raw = target, part, form, file, raw
        self._begins: dict[str, int] = {}

    def put(self, row: Row) -> tuple[str, ...]:
        """Write one row; the names of what it had and this file has no column for, which is lost.

        Raises:
            DataError: this kind of file cannot hold the row.
        """
        columns = self._form.columns
        if columns is None and (new := row.keys() - self._begins.keys()):
            self._begins |= dict.fromkeys(new, self._raw.tell())
        self._form.put(row)
        return () if columns is None else tuple(name for name, value in row.items() if value and name not in columns)

    @property
    def late(self) -> list[str]:
        """Columns of a JSON file that begin so far down that `datasets` refuses them."""
        return sorted(name for name, at in self._begins.items() if at > _FIRST_LOOK)

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
        target.parent.mkdir(parents=True, exist_ok=True)
        file = open(part, "wb")  # noqa: SIM115 - closed by publish or abandon
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
    raw: Any = gzip.GzipFile("", "wb", 6, file, mtime=0) if name.endswith(".gz") else file
    made: Form = _Document(raw) if document else _FORMS[kind](raw, wide)
    out = Sink(target, part, made, file, raw)
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

    columns: Mapping[str, str] | None = None

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        self._file, self._encode = file, msgspec.json.Encoder().encode

    def put(self, row: Row) -> None:
        self._file.write(self._encode(row) + b"\n")

    def close(self) -> None:
        _end(self._file)


class _Array:
    """One JSON array, an object a line."""

    columns: Mapping[str, str] | None = None

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

    columns: Mapping[str, str] | None = None

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
        self._file, self.columns = file, columns
        self._cells(dict(zip(columns, columns)))

    def put(self, row: Row) -> None:
        cells = {}
        for name in self.columns:
            value = row.get(name)
            cells[name] = msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
        self._cells(cells)

    def _cells(self, cells: Mapping[str, Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([cells[name] for name in self.columns])
        self._file.write(line.getvalue().encode("utf-8"))

    def close(self) -> None:
        _end(self._file)


class _Table:
    """parquet with a fixed schema, written a row group at a time.

    A column of parquet holds messages or text, not both: a first row that is text makes all columns of messages text.
    """

    def __init__(self, file: Any, columns: Mapping[str, str]) -> None:
        self.columns: Mapping[str, str] = columns
        self._file = file
        self._writer: Any = None  # opened with the first rows, which decide the columns
        self._rows: list[Row] = []

    def put(self, row: Row) -> None:
        if self._writer is None and not self._rows:
            self.columns = {
                name: "text" if kind == "messages" and type(row.get(name)) is str else kind
                for name, kind in self.columns.items()
            }
        self._rows.append({name: _cell(row.get(name), kind, row) for name, kind in self.columns.items()})
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            types = _types()
            self._schema = pa.schema([(name, types[kind]) for name, kind in self.columns.items()])
            self._writer = pq.ParquetWriter(self._file, self._schema)
        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows = []

    def close(self) -> None:
        if self._rows or self._writer is None:
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
        "numbers": pa.list_(pa.int64()), "json": text, "messages": messages, "turns": turns,
        "list of turns": pa.list_(turns), "sharegpt message": said, "sharegpt": pa.list_(said),
        "ranked": pa.list_(pa.struct([("rank", pa.int64()), ("completion", messages)])),
    }  # fmt: skip


def _cell(value: Any, kind: str, row: Row) -> Any:
    """A value as its column's type takes it; raises for a turn that would lose something."""
    if value is None:
        return None
    if kind == "json":  # neither a map nor an object whose keys change is read by `datasets`
        return value if type(value) is str else msgspec.json.encode(value).decode()
    if kind == "turns":
        return [_with_parts(message) for message in value]
    if kind == "list of turns":
        return [[_with_parts(message) for message in answer] for answer in value]
    if kind == "ranked":
        for item in value:
            _cell(item["completion"], "messages", row)
    if kind == "messages" and type(value) is str:
        raise _refused(row, "text that is already rendered, in a parquet file that began with messages (use .jsonl)")
    if kind == "text" and type(value) is not str:
        raise _refused(row, "messages, in a parquet file that began with text already rendered (use .jsonl)")
    if kind == "messages" and not all(len(m) == 2 and isinstance(m["content"], str) for m in value):
        raise _refused(row, "a turn that is not only text (parquet needs canonical for that)")
    return value


def _refused(row: Row, reason: str) -> DataError:
    return DataError(str(row.get("source") or row.get("id") or ""), reason)


def _with_parts(message: Row) -> Row:
    if isinstance(message["content"], str):
        return message
    return {"role": message["role"], "content": None, "parts": msgspec.json.encode(message["content"]).decode()}


_FORMS: dict[str, Any] = {"jsonl": _Lines, "json": _Array, "csv": _Cells, "parquet": _Table}
