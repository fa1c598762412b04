"""The rejects file: every row that could not be used, wholly or in part, byte for byte as it stands in its file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from plaudit.data.framing import Beginning
from plaudit.data.read import Row
from plaudit.data.sinks import claim
from plaudit.data.sources import whole
from plaudit.data.tables import FromCells
from plaudit.errors import PlauditError
from plaudit.folders import file_digest


def keep_rejects(rows: Iterable[Row], target: Path) -> Iterator[Row]:
    """Pass rows on and write those with a reason to `target`, a line end after each.

    The file gets its name when all rows went by, so a command that fails before leaves none; one that is there already
    is never written over, and stands in the way unless it holds the very same bytes.

    What is written are the source's own bytes: a JSON record with its line breaks, a csv record with its quotes (no
    header), a row too long to hold copied from its file in blocks. A row of parquet or of the hub has no bytes of its
    own and becomes one line of JSON, in which NaN and infinity are null. A row kept in part is written as well, whole.

    Raises:
        PlauditError: another file is there already, or it cannot be written.
    """
    part = target.with_name(f".{target.name}.rejects-{os.getpid()}")
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "a folder")
        file = open(part, "wb")  # noqa: SIM115 - closed below; opened before the first row is read
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
    return _written(rows, file, part, target)


def _written(rows: Iterable[Row], file: BinaryIO, part: Path, target: Path) -> Iterator[Row]:
    try:
        with file:
            for row in rows:
                if row.reason is not None:
                    try:
                        file.writelines(_own_bytes(row))
                        file.write(b"\n")
                    except OSError as error:
                        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
                yield row
        if not (target.exists() and file_digest(part) == file_digest(target)):
            claim(part, target)
    except FileExistsError as error:
        advice = "name another file for --rejects"
        raise PlauditError(f"{target} exists already and holds other rows", advice=advice) from error
    finally:
        part.unlink(missing_ok=True)


def _own_bytes(row: Row) -> Iterable[bytes]:
    if isinstance(row.raw, Beginning):
        return whole(row.where.rpartition(":")[0], row.raw)
    return (row.raw.cells if isinstance(row.raw, FromCells) else row.raw,)
