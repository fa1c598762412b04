"""The ledger beside a repaired file: a header, then one line per change; with it the original comes back.

It holds no clock and no path. The header names the digests of what it belongs to: the input, the repaired file, the
audit and the lines that follow it, so that neither file can have been edited unnoticed.
"""

import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from plaudit.errors import PlauditError

FORMAT = 1
SUFFIX = ".ledger.jsonl"
_NEEDED = {
    "plaudit": str, "format": int, "form": str, "layout": str, "input": str, "output": str, "lines": str,
    "treatments": list, "counts": dict,
}  # fmt: skip


def ledger_of(file: str | Path) -> Path:
    """Where the ledger of a repaired file lies.

    >>> ledger_of("b.jsonl").name
    'b.jsonl.ledger.jsonl'
    """
    path = Path(file)
    return path.with_name(path.name + SUFFIX)


def line(values: dict[str, Any]) -> bytes:
    """One line of a ledger."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"


def opened(file: str | Path) -> dict[str, Any]:
    """The header of the ledger of a repaired file, its lines checked against the digest that it names.

    Raises:
        PlauditError: there is none, it is another's, or it was edited or cut off.
    """
    path = ledger_of(file)
    h = blake2b(digest_size=16)
    try:
        with open(path, "rb") as f:
            header = _header(path, f.readline())
            while block := f.read(1 << 20):
                h.update(block)
    except FileNotFoundError as error:
        raise PlauditError(
            f"{path}: no such file", advice="undo needs the ledger that repair wrote beside it"
        ) from error
    except OSError as error:
        raise PlauditError(f"{path}: cannot be read: {error.strerror or error}") from error
    if h.hexdigest() != header["lines"]:
        raise _damaged(path, "its lines are not those its header names")
    return header


def audit_of(file: str | Path) -> str:
    """The digest of the audit by which a file was repaired; empty where no ledger that can be read lies beside it."""
    try:
        with open(ledger_of(file), "rb") as f:
            return str(_header(ledger_of(file), f.readline()).get("audit", ""))
    except (OSError, PlauditError):
        return ""


def _header(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        header = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, "its first line is not a header") from error
    if type(header) is not dict or header.get("plaudit") != "ledger":
        raise _damaged(path, "its first line is not a header")
    if header.get("format") != FORMAT:
        raise PlauditError(f"{path}: written by another version of plaudit", advice="undo with that version")
    wrong = [key for key, kind in _NEEDED.items() if type(header.get(key)) is not kind]
    if wrong:
        raise _damaged(path, f"its header lacks {wrong[0]!r}")
    return header


def _damaged(path: Path, why: str) -> PlauditError:
    advice = "nothing can be undone with it: take it from a backup, or go back to the original file"
    return PlauditError(f"{path} is damaged: {why}", advice=advice)


def lines(file: str | Path) -> Iterator[dict[str, Any]]:
    """The lines after the header, of a ledger that `opened` has checked.

    Raises:
        PlauditError: a line does not say what a line must.
    """
    path = ledger_of(file)
    with open(path, "rb") as f:
        f.readline()
        for number, raw in enumerate(f, 2):
            try:
                yield json.loads(raw.decode("utf-8", "surrogatepass"))
            except ValueError as error:
                raise _damaged(path, f"line {number} is not JSON") from error
