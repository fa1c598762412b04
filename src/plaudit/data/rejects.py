"""The rejects file: every rejected row as it was, so that the rows that were kept and this file are the input."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from plaudit.data.read import Row
from plaudit.errors import PlauditError


def keep_rejects(rows: Iterable[Row], target: Path) -> Iterator[Row]:
    """Pass rows on and write the rejected ones to `target`, which must not exist; one a line.

    A row over the length limit is written by its first bytes only, as its reason says.
    """
    try:
        file = open(target, "xb")  # noqa: SIM115 - closed below; opened before the first row is read
    except FileExistsError as error:
        raise PlauditError(f"{target} exists already", advice="name another file for --rejects") from error
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
    return _written(rows, file, target)


def _written(rows, file, target: Path) -> Iterator[Row]:
    with file:
        for row in rows:
            if not row.kept:
                try:
                    file.write(_one_line(row.raw) + b"\n")
                except OSError as error:
                    raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error
            yield row


def _one_line(raw: bytes) -> bytes:
    """A pretty-printed record on one line; what is not JSON stays as it was."""
    if b"\n" not in raw:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw
