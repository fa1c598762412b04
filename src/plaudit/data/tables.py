"""Rows of csv, parquet and hub data sets, as the objects that JSON would have given."""

import csv
import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from plaudit.data.framing import delimiter, records
from plaudit.data.limits import Limits
from plaudit.errors import DataError

Item = tuple[int, bytes, dict[str, Any] | None, str]  # number from 1, its bytes, the row, or why there is none
# csv has no types. These columns are numbers or truth values wherever they occur; everything else is text.
_NUMBERS = {
    "label", "margin", "weight", "target", "strength", "preference_strength", "overall_preference", "preference",
    "choice", "score", "score_chosen", "score_rejected", "chosen_score", "rejected_score", "chosen_reward",
    "rejected_reward", "rank", "confidence", "winner_model_a", "winner_model_b", "winner_tie", "helpfulness",
    "correctness", "coherence", "complexity", "verbosity", "overall", "accuracy", "coverage", "axis_overall",
}  # fmt: skip
_BATCH = 128


class FromCells(bytes):
    """A csv record as JSON; `cells` holds its own bytes, quotes and line breaks as they stand."""

    cells = b""


def as_json(row: dict[str, Any]) -> bytes:
    """The record as one line of JSON."""
    return msgspec.json.encode(row, enc_hook=str)


def from_csv(blocks: Iterable[bytes], path: str, limits: Limits) -> Iterator[Item]:
    """Records of a csv or tsv file with a header; the delimiter is the one that the header uses most."""
    csv.field_size_limit(max(limits.line_bytes, csv.field_size_limit()))  # of the process: the module knows no other
    framed = records(blocks, limits)
    _, first, reason = next(framed, (0, b"", "the file is empty"))
    try:
        text, mark = first.decode("utf-8"), delimiter(first)
        header = next(csv.reader([text], delimiter=mark, strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise DataError(path, "the csv header cannot be read") from error
    if not reason and not text.strip():
        raise DataError(path, "begins with a blank line", advice="the header must be the first line")
    if reason or len(set(header)) != len(header):
        raise DataError(path, reason or "two csv columns have the same name")
    for number, raw, fault in framed:
        if not fault and not raw.strip():
            continue
        row, fault = (None, fault) if fault else _csv_row(raw, header, mark)
        yield number, (raw if row is None else _from_cells(raw, row)), row, fault


def _from_cells(raw: bytes, row: dict[str, Any]) -> FromCells:
    made = FromCells(as_json(row))
    made.cells = raw
    return made


def _csv_row(raw: bytes, header: list[str], mark: str) -> tuple[dict[str, Any] | None, str]:
    if b"\0" in raw:  # Python's own parser would keep it in the text
        return None, f"broken csv: a raw NUL at byte {raw.index(0)}"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return None, f"not UTF-8: byte 0x{raw[wrong.start]:02x} at byte {wrong.start}"
    try:
        cells = next(csv.reader([text], delimiter=mark, strict=True))
    except (csv.Error, StopIteration):
        return None, "broken csv: a quote stands where none may"
    if len(cells) != len(header):
        return None, f"{len(cells)} values under {len(header)} columns"
    return {name: _cell(name, cell) for name, cell in zip(header, cells)}, ""


def _cell(name: str, cell: str) -> Any:
    known = name in _NUMBERS
    if known and not cell.strip():
        return None
    if not known and not cell.startswith("[{"):
        return cell
    try:
        return msgspec.json.decode(cell.strip().lower() if known else cell)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return cell


def from_parquet(path: str) -> Iterator[Item]:
    """Rows of a parquet file, a small batch at a time.

    NaN is how tables write 'missing', so it becomes null; an infinite number makes a bad row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in _rows_of(batch):
                    number += 1
                    yield number, *(_settled(row) if isinstance(row, dict) else (b"", None, row))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if not number:
            raise DataError(path, "begins like parquet, but is cut off or damaged", advice="fetch it again") from error
        yield number + 1, b"", None, "the parquet data are damaged from here on"


def _rows_of(batch: Any) -> list[dict[str, Any] | str]:
    """The rows of a batch; in place of one that holds a cell Python cannot hold (text that is no UTF-8), why."""
    import pyarrow as pa

    try:
        return batch.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        if len(batch) > 1:
            return [row for i in range(len(batch)) for row in _rows_of(batch.slice(i, 1))]
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.to_pylist()
        except (pa.ArrowException, ValueError, OverflowError) as error:
            return [f"{name!r} cannot be read: {error}"]
    return ["the row cannot be read"]


def _settled(row: dict[str, Any]) -> tuple[bytes, dict[str, Any] | None, str]:
    """A table's row as JSON, as values, and why it cannot be used. Infinity is a fault, as it is in JSON."""
    plain = {key: without_nan(value) for key, value in row.items()}
    fault = next((f"{key!r} is infinite" for key, value in row.items() if _infinite(value)), "")
    return as_json(plain), None if fault else plain, fault


def _infinite(value: Any) -> bool:
    if type(value) is float:
        return math.isinf(value)
    if type(value) is list:
        return any(_infinite(item) for item in value)
    return type(value) is dict and any(_infinite(item) for item in value.values())


def without_nan(value: Any) -> Any:
    """A value of a table with null for every NaN and infinity in it."""
    if type(value) is str:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is list:
        return [without_nan(item) for item in value]
    if type(value) is dict:
        return {key: without_nan(item) for key, item in value.items()}
    return value


def from_hub(path: str) -> Iterator[Item]:
    """Rows of `hub:OWNER/NAME[:split]`, streamed; asked for by name only, and only with `datasets` installed."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataError(path, "reading from the hub needs `datasets`", advice="pip install 'plaudit[hub]'") from error
    name, _, split = path.removeprefix("hub:").partition(":")
    try:
        rows = iter(load_dataset(name, split=split or "train", streaming=True))
        for number, row in enumerate(rows, 1):
            yield number, *_settled(row)
    except (OSError, ValueError, RuntimeError) as error:  # its own errors derive from these
        why = (str(error).splitlines() or [repr(error)])[0]
        advice = "check the name, the split and the network; or download it and name the file"
        raise DataError(path, f"the hub does not give it: {why}", advice=advice) from error
