"""Bytes of a file, whatever it is wrapped in; what cannot hold preferences is refused by what it contains.

The name of a file is a hint only: a plain file called `.gz` is read as it is, a gzip file called `.json` is unpacked.
"""

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from plaudit.errors import DataError, PlauditError

BLOCK = 1 << 20
_STEP = 1 << 16  # unpacked at a time: what zlib has unpacked when it meets damage is lost
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
POINTER = b"version https://git-lfs"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
BESIDE = (".ledger.jsonl", ".truth.jsonl", ".dataset_info.json")  # after the name of the file they are about
_PACKED = {
    b"PK\x03\x04": "a zip archive", b"BZh": "bzip2 data", b"\xfd7zXZ": "xz data", b"\x28\xb5\x2f\xfd": "zstd data",
    b"\x89HDF": "an HDF5 file", b"ARROW1": "an Arrow file", b"\x80\x04": "a Python pickle",
}  # fmt: skip


class Cut(Exception):
    """The compressed data stop or break here; everything before was given out."""

    @property
    def reason(self) -> str:
        """In words for the last row of such a file: more than that row is missing."""
        return f"{self}: the rest of the file is missing, however much it was; fetch it again"


def files_of(path: str) -> list[str]:
    """The file itself, or the data files of a folder, sorted by name (not of its subfolders, nothing hidden, not what
    plaudit itself wrote about a file that lies there).
    """
    place = Path(path)
    if not place.is_dir():
        return [path]
    found = [p for p in sorted(place.iterdir()) if p.is_file() and is_data_name(p.name) and not _is_about_another(p)]
    if not found:
        raise DataError(path, "a folder without data files", advice=f"looked for {', '.join(SUFFIXES)}, also with .gz")
    return [str(p) for p in found]


def _is_about_another(file: Path) -> bool:
    """Whether it is a repair's ledger, a world's truth or an entry for LLaMA-Factory, beside the file it is about."""
    return any(file.name.endswith(end) and (file.parent / file.name.removesuffix(end)).is_file() for end in BESIDE)


def is_data_name(name: str) -> bool:
    """Whether a file's name says that it holds data that can be read.

    >>> is_data_name("train.jsonl.gz"), is_data_name(".part.json"), is_data_name("README.md")
    (True, False, False)
    """
    return not name.startswith(".") and name.lower().removesuffix(".gz").endswith(SUFFIXES)


def head_of(path: str) -> bytes:
    """The first bytes as they lie on the disk; refuses what cannot be data at all."""
    try:
        kind = os.stat(path).st_mode  # asked before opening, which would take bytes or wait
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise DataError(
                path, "a pipe or a device, not a file", advice="data are read more than once: save them to a file first"
            )
        with open(path, "rb") as f:
            head = f.read(4096)
    except FileNotFoundError as error:
        raise DataError(path, "no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if not head:
        raise DataError(path, "the file is empty")
    if head.startswith(POINTER):
        raise DataError(path, "a git-lfs pointer, not the data", advice="fetch the data with `git lfs pull`")
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            raise DataError(path, f"{what}, which is not read", advice="unpack it, or save it as JSONL or parquet")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(path, "UTF-16 text", advice="save it as UTF-8, for instance with `iconv -f UTF-16 -t UTF-8`")
    return head


def blocks(path: str, head: bytes) -> Iterator[bytes]:
    """The file's bytes in blocks, unpacked when they are gzip; raises Cut where gzip data end or break too early."""
    with open(path, "rb") as f:
        if head.startswith(GZIP):
            yield from _unpacked(iter(lambda: f.read(_STEP), b""))
        else:
            yield from iter(lambda: f.read(BLOCK), b"")


def _unpacked(raw: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(31)
    started = False
    for block in raw:
        while block:
            if member.eof:
                block = block.lstrip(b"\0")  # tape padding
                if not block:
                    break
                member, started = zlib.decompressobj(31), False
            try:
                out = member.decompress(block, _STEP)
            except zlib.error as error:
                raise Cut("the gzip data are damaged here") from error
            started = True
            block = member.unused_data if member.eof else member.unconsumed_tail
            if out:
                yield out
    if started and not member.eof:
        raise Cut("the gzip data are cut off here")


def failure(path: str, error: OSError) -> PlauditError:
    """A disk error while reading, as a message."""
    return DataError(path, f"cannot be read: {error.strerror or error}")
