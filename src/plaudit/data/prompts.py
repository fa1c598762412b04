"""Prompts alone: of preference files, of rows that hold nothing but a prompt, of text with one prompt a line.

Benchmarks are published in every shape, and for a look at overlap only their prompts (and responses, if any) matter.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from plaudit.data import layouts
from plaudit.data.layouts._fields import spoken
from plaudit.data.limits import LIMITS
from plaudit.data.opening import Cut, blocks, files_of, head_of
from plaudit.data.read import read
from plaudit.data.sources import items
from plaudit.errors import DataError
from plaudit.records import Preference, group

KEYS = ("prompt", "question")  # of a row that no layout recognises


class Prompts(NamedTuple):
    """What was read: one preference a row, of no responses where the row has none; `left`: (where, reason)."""

    preferences: list[Preference]
    left: list[tuple[str, str]]


def prompts(paths: Sequence[str]) -> Prompts:
    """Every prompt of the files or folders: preferences and solutions of any layout, rows with a `prompt` (text or
    messages) or `question`, and `.txt` files of one prompt a line.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "bench.jsonl"
    >>> _ = file.write_text('{"prompt": "2+2?"}\\n{"answer": "4"}\\n')
    >>> found = prompts([str(file)])
    >>> [p.prompt[0].text for p in found.preferences], [reason for _, reason in found.left]
    (['2+2?'], ['no prompt in this row'])

    Raises:
        DataError: a file is missing, cannot be read at all, or holds no prompt.
    """
    out = Prompts([], [])
    for file in [file for path in paths for file in ([path] if path.startswith("hub:") else files_of(path))]:
        before = len(out.preferences)
        for where, found in _plain(file) if _is_plain(file) else _rows(file):
            if isinstance(found, str):
                out.left.append((where, found))
            else:
                out.preferences.append(found)
        if len(out.preferences) == before:
            first = f": {out.left[-1][0]}: {out.left[-1][1]}" if out.left else ""
            advice = 'one row a prompt, {"prompt": "..."}, preferences of any layout, or a .txt with one prompt a line'
            raise DataError(file, f"holds no prompt{first}", advice=advice)
    return out


Found = Iterator[tuple[str, Preference | str]]


def _is_plain(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(".txt")


def _plain(path: str) -> Found:
    """One prompt a line; empty lines are nothing."""
    try:
        text = b"".join(blocks(path, head_of(path))).decode("utf-8-sig")
    except (Cut, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}:{number}", group(line.strip(), (), None, source=f"{path}:{number}")


def _rows(path: str) -> Found:
    stream = items(path, LIMITS)
    first = []
    for item in stream:
        first.append(item)
        if sum(row is not None for _, _, row, _ in first) >= LIMITS.sniff_rows:
            break
    if layouts.detect([row for _, _, row, _ in first if row is not None]):
        yield from _of_layout(path)
        return
    for number, _, row, reason in chain(first, stream):
        yield f"{path}:{number}", (reason or "no row") if row is None else _bare(row, f"{path}:{number}")


def _of_layout(path: str) -> Found:
    for row in read(path):
        for record in row.records:
            alone = group(record.prompt, (), None, source=row.where)
            yield row.where, record if isinstance(record, Preference) else alone
        if not row.kept:
            found = _bare(_decoded(row.raw), row.where)
            yield row.where, found if isinstance(found, Preference) else row.reason or found


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _bare(row: Any, where: str) -> Preference | str:
    """A row's prompt, or why it has none."""
    key = next((key for key in KEYS if type(row) is dict and row.get(key)), None)
    if key is None:
        return "no prompt in this row"
    try:
        return group(spoken(row[key], key, where, "user"), (), None, source=where)
    except DataError as error:
        return error.reason
