"""Repairs of parquet files: unchanged cells are copied as arrays, changed rows are kept whole in the ledger.

Undone is the same table: schema, order of rows, values. How the bytes lie in the file is the writer's business.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from plaudit.data.patch_edits import Plan, decided
from plaudit.data.patch_text import same
from plaudit.data.read import Row
from plaudit.data.tables import from_parquet, without_nan
from plaudit.errors import DataError, PlauditError

_BATCH = 1024


@dataclass(frozen=True)
class Shape:
    """The schema of a table, that of its repair, and that in which the ledger keeps rows (no dictionary columns)."""

    old: Any
    new: Any
    kept: Any


def shape_of(path: str, columns: Iterable[str]) -> Shape:
    """The shapes of a file that gains `columns`; one that it has becomes a 64-bit number if it was another.

    Raises:
        PlauditError: a column of that name holds no numbers, or one holds dictionaries inside lists or structs: neither
            could be given back.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = pq.read_schema(path)
    new = old
    for field in _undictionaried(old):
        if "dictionary<" in str(field.type):
            advice = "write the file anew with plain text there"
            raise PlauditError(f"{path}: the column {field.name!r} is {field.type}, which arrow loses", advice=advice)
    for name in columns:
        at = new.get_field_index(name)
        if at >= 0 and not (pa.types.is_integer(new.types[at]) or pa.types.is_floating(new.types[at])):
            advice = "rename it with --columns, or write the file anew with numbers there"
            raise PlauditError(f"{path}: the column {name!r} is {new.types[at]}, and numbers go there", advice=advice)
        column = pa.field(name, pa.float64())
        new = new.append(column) if at < 0 else new.set(at, column)
    return Shape(old, new, _undictionaried(old))


def _undictionaried(schema: Any) -> Any:
    import pyarrow as pa

    plain = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in schema]
    return pa.schema(plain)


def table_digest(path: str) -> str:
    """Digest of a table's schema and values, however they lie in the file."""
    import pyarrow.parquet as pq

    h = blake2b(str(pq.read_schema(path).remove_metadata()).encode(), digest_size=16)
    for _, raw, _, _ in from_parquet(path):
        h.update(raw + b"\n")
    return h.hexdigest()


def batches(path: str, rows: Iterable[Row], plan: Plan, shape: Shape) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Tables to write one after another, and the ledger's lines about each."""
    import pyarrow.parquet as pq

    reader = iter(rows)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            found = [next(reader, None) for _ in range(batch.num_rows)]
            if any(row is None or not row.raw for row in found):
                raise DataError(path, "the parquet data are damaged", advice="repair needs the whole file")
            yield _batch(batch, [row for row in found if row is not None], plan, shape)


def _batch(batch: Any, rows: list[Row], plan: Plan, shape: Shape) -> tuple[Any, list[dict[str, Any]]]:
    import pyarrow as pa

    lines: list[dict[str, Any]] = []
    changed: dict[str, dict[int, Any]] = {name: {} for name in shape.new.names}
    keep = [True] * len(rows)
    for i, row in enumerate(rows):
        values = without_nan(batch.slice(i, 1).to_pylist()[0]) if row.records else {}
        change, notes = decided(plan, row, values, "record")
        if change is None:
            lines += notes
            continue
        keep[i] = change.after is not None
        fresh = {k: v for k, v in (change.after or {}).items() if k not in values or not same(values[k], v)}
        for name, value in fresh.items():
            changed.setdefault(name, {})[i] = value
        held = change.after is None or any(name in values for name in fresh)
        undo: dict[str, Any] = {"place": row_place(row), "gone": not keep[i]}
        if held:
            undo["old"] = kept_row(batch.slice(i, 1), shape)
        lines += [{**note, **(undo if not n else {})} for n, note in enumerate(notes)]
    unknown = set(changed) - set(shape.new.names)
    if unknown:
        raise DataError(rows[0].where, f"the table has no column {sorted(unknown)[0]!r} to write to")
    columns = [_column(batch, field, changed[field.name]) for field in shape.new]
    table = pa.Table.from_arrays(columns, schema=shape.new)
    return (table if all(keep) else table.filter(pa.array(keep))), lines


def row_place(row: Row) -> int:
    """The row's place from 0."""
    return int(row.where.rsplit(":", 1)[1]) - 1


def _column(batch: Any, field: Any, changed: Mapping[int, Any]) -> Any:
    """A column with some cells replaced: the stretches between them are the arrays that were read."""
    import pyarrow as pa

    if field.name not in batch.schema.names:
        return pa.array([changed.get(i) for i in range(batch.num_rows)], field.type)
    column = batch.column(batch.schema.get_field_index(field.name))
    dictionary = pa.types.is_dictionary(column.type)
    if dictionary:
        column = column.dictionary_decode()
    elif column.type != field.type:
        column = column.cast(field.type)
    pieces, at = [], 0
    for i in sorted(changed):
        pieces += [column.slice(at, i - at), _one(changed[i], field.name, column.type)]
        at = i + 1
    whole = pa.concat_arrays([*pieces, column.slice(at)])
    return whole.dictionary_encode().cast(field.type) if dictionary else whole


def _one(value: Any, name: str, kind: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array([value], kind)
    except (pa.ArrowException, OverflowError) as error:
        advice = "save it with a wider type; for a margin, --margin-sign keep or abs writes no negative number"
        raise PlauditError(f"the column {name!r} of type {kind} cannot hold {value!r}", advice=advice) from error


def kept_row(row: Any, shape: Shape) -> str:
    """One row as the ledger keeps it: an Arrow batch, so that every type comes back."""
    import pyarrow as pa

    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in row.columns]
    whole = pa.RecordBatch.from_arrays([pa.concat_arrays([c]) for c in columns], schema=shape.kept)
    return base64.b64encode(whole.serialize().to_pybytes()).decode("ascii")


def schema_text(schema: Any) -> str:
    """A schema with all its metadata, for the ledger's header."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")


def schema_of(text: str) -> Any:
    """The schema that a ledger's header holds."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def restored(path: str, old: Any, lines: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """The original's tables in its schema `old`, to be written one after another."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = _undictionaried(old)
    table = pq.read_table(path, columns=old.names) if old.names else pq.read_table(path)
    at = place = 0
    for line in lines:
        if "old" not in line:
            continue
        same_rows = line["place"] - place
        if same_rows:
            yield _as(table.slice(at, same_rows), old)
        row = pa.ipc.read_record_batch(pa.py_buffer(base64.b64decode(line["old"])), kept)
        yield _as(pa.Table.from_batches([row]), old)
        at += same_rows + (not line["gone"])
        place = line["place"] + 1
    if at < len(table):
        yield _as(table.slice(at), old)


def _as(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    columns = []
    for field in schema:
        column = table[field.name].combine_chunks()
        if column.type != field.type and pa.types.is_dictionary(field.type):
            column = column.dictionary_encode()
        if column.type != field.type:
            column = column.cast(field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def write_tables(target: Path, tables: Iterable[Any], schema: Any, like: str) -> None:
    """Write tables to one parquet file, packed as `like` is."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(like) as file:
        meta = file.metadata
        known = meta.num_row_groups and meta.num_columns
        packing = meta.row_group(0).column(0).compression.lower() if known else "snappy"
    try:
        with pq.ParquetWriter(target, schema, compression="none" if packing == "uncompressed" else packing) as out:
            for table in _joined(tables):
                out.write_table(table)
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error


def _joined(tables: Iterable[Any]) -> Iterator[Any]:
    """The same rows in tables of a row group's size: pieces between changed rows may be single rows."""
    import pyarrow as pa

    waiting: list[Any] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= _BATCH:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
