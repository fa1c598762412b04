"""The audit's folder: signals as a table, the summary, the report, the committee.

It holds no clock, and of the audited files only as much of their paths as tells them apart; the committee names its
models as they were given, because it loads them again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import PlauditError
from plaudit.folders import is_sealed, publish
from plaudit.report.terminal import as_json
from plaudit.signals.votes import Signals

SIGNALS, SUMMARY, REPORT, COMMITTEE = "signals.parquet", "audit.json", "report.html", "committee"
FACTS = "plaudit.json"  # beside a model or a committee: what it was trained on
KEY = ("id", "better", "worse")
FORMAT = 1


def save(
    folder: Path, signals: Signals, summary: Mapping[str, Any], report: str, committee: Callable[[Path], None],
    groups: Iterable[int] = (),
) -> None:  # fmt: skip
    """Publish a new folder; `committee` fills the folder it is given.

    `groups`: of the prompts that the committee learned from, noted in its folder as a trained model's are, so that
    whoever judges it by them is told.

    Raises:
        PlauditError: the folder exists, or the disk refuses.
    """
    with publish(folder) as part:
        _write_table(signals, part / SIGNALS)
        (part / SUMMARY).write_text(as_json(summary), encoding="utf-8")
        (part / REPORT).write_text(report, encoding="utf-8")
        (part / COMMITTEE).mkdir()
        committee(part / COMMITTEE)
        if learned := [f"{g:016x}" for g in sorted(set(groups))]:
            document = {"groups": {"by": "auto", "train": learned}}
            (part / COMMITTEE / FACTS).write_text(as_json(document), encoding="utf-8")


def _write_table(signals: Signals, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _arrow(column) for name, column in signals.columns.items()}
    table = pa.table(columns).replace_schema_metadata({"plaudit.format": str(FORMAT)})
    pq.write_table(table, path, compression="zstd")


def _arrow(column: NDArray) -> Any:
    import pyarrow as pa

    if column.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(column.astype(np.float32).ravel()), column.shape[1])
    if column.dtype.kind == "f":
        return pa.array(column, mask=np.isnan(column))
    return pa.array(column.tolist() if column.dtype.kind in "OU" else column)


def load(folder: str | Path) -> tuple[Signals, dict[str, Any]]:
    """Signals and summary of a sealed audit folder.

    Raises:
        PlauditError: no audit lies there, or its files are not those that were published.
    """
    import pyarrow.parquet as pq

    folder = Path(folder)
    if not (folder / SIGNALS).is_file():
        raise PlauditError(
            f"{folder} holds no audit: {SIGNALS} is missing", advice="plaudit audit FILE --model M --output-dir D"
        )
    if not is_sealed(folder, deep=True):
        raise PlauditError(f"{folder} is damaged: its files are not those its seal names", advice="run the audit again")
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    table = pq.read_table(folder / SIGNALS)
    if (table.schema.metadata or {}).get(b"plaudit.format") != str(FORMAT).encode():
        raise PlauditError(f"{folder / SIGNALS}: written by another version of plaudit", advice="run the audit again")
    columns = {name: _numpy(table[name].combine_chunks()) for name in table.column_names}
    return Signals(columns, {"thresholds": summary.get("thresholds", {})}), summary


def _numpy(column: Any) -> NDArray:
    import pyarrow as pa

    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size).astype(np.float64)
    if pa.types.is_floating(column.type):
        return column.to_numpy(zero_copy_only=False).astype(np.float64)
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), object)
    return column.to_numpy(zero_copy_only=False)
