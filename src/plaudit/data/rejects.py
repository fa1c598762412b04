"""The rejects file: every row that could not be used, wholly or in part, byte for byte as it stands in its file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from plaudit.data.framing import Beginning
from plaudit.data.read import Row
from plaudit.data.sources import whole
from plaudit.data.tables import FromCells
from plaudit.errors import PlauditError


def keep_rejects(rows: Iterable[Row], target: Path) -> Iterator[Row]:
    """Pass rows on and write those with a reason to `target`, which must not exist; a line end after each.

    What is written are the source's own bytes: a JSON record with its line breaks, a csv record with its quotes (no
    header), a row too long to hold copied from its file in blocks. A row of parquet or of the hub has no bytes of its
    own and becomes one line of JSON, in which NaN and infinity are null. A row kept in part is written as well, whole.

    Raises:
        PlauditError: the file is there already or cannot be written.
    """
    try:
        file = open(target, "xb")  # noqa: SIM115 - closed below; opened before the first row is read
    except FileExistsError as error:
        raise PlauditError(f"{target} exists already", advice="name another file for --rejects") from error
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
    return _written(rows, file, target)


def _written(rows: Iterable[Row], file: BinaryIO, target: Path) -> Iterator[Row]:
    with file:
        for row in rows:
            if row.reason is not None:
                try:
                    file.writelines(_own_bytes(row))
                    file.write(b"\n")
                except OSError as error:
                    raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
            yield row


def _own_bytes(row: Row) -> Iterable[bytes]:
    if isinstance(row.raw, Beginning):
        return whole(row.where.rpartition(":")[0], row.raw)
    return (row.raw.cells if isinstance(row.raw, FromCells) else row.raw,)
