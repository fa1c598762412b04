"""Where every row of a file lies, in bytes of its contents, so that a change can be cut in and taken out again.

Contents: the file's bytes, unpacked when they are gzip, with their byte order mark.
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from plaudit.data import framing
from plaudit.data.limits import Limits
from plaudit.data.opening import Cut, blocks, failure, head_of
from plaudit.data.sources import BOM
from plaudit.errors import DataError


class Span(NamedTuple):
    """A row's place. `start`: of its key in an object of rows, else `at`; `at`: of its value; `end`: after its value.

    `stop`: after its line end, in forms of one row a line; -1 in arrays, objects and values that follow one another.
    """

    number: int
    start: int
    at: int
    end: int
    stop: int
    raw: bytes


def contents(path: str) -> Iterator[bytes]:
    """The file's contents in blocks.

    Raises:
        DataError: gzip data that end or break too early: what is missing could not be given back.
    """
    head = head_of(path)
    try:
        yield from blocks(path, head)
    except Cut as cut:
        raise DataError(path, str(cut), advice="repair needs the whole file: fetch or pack it again") from cut
    except OSError as error:
        raise failure(path, error) from error


def digested(source: Iterable[bytes], into: blake2b) -> Iterator[bytes]:
    """The same blocks; their digest is in `into` afterwards."""
    for block in source:
        into.update(block)
        yield block


def contents_digest(path: str) -> str:
    """128-bit digest of the contents, 32 hex digits."""
    h = blake2b(digest_size=16)
    for block in contents(path):
        h.update(block)
    return h.hexdigest()


def spans(source: Iterable[bytes], form: str, limits: Limits) -> Iterator[Span]:
    """Every row of contents in `form` (lines, csv, array, object, values), numbered as the reader numbers them.

    Lines give every line, blank ones too, without their bytes; csv gives its header as number 0.

    >>> [s[:5] for s in spans([b'[{"a": 1},', b' 2]'], "array", Limits())]
    [(1, 1, 1, 9, -1), (2, 11, 11, 12, -1)]
    >>> [s[:5] for s in spans([b"{}\\n\\n{}"], "lines", Limits())]
    [(1, 0, 0, 2, 3), (2, 3, 3, 3, 4), (3, 4, 4, 6, 6)]
    """
    skip, rest = _without_mark(source)
    if form == "lines":
        yield from _lines(rest, skip)
    elif form == "csv":
        yield from _records(list(rest), skip, limits)
    else:
        for number, raw, reason, start, at, end in framing.placed(rest, limits, inside=form != "values"):
            if end > at or not reason:
                yield Span(number, skip + start, skip + at, skip + end, -1, raw)


def _without_mark(source: Iterable[bytes]) -> tuple[int, Iterator[bytes]]:
    """The length of a byte order mark, and the blocks after it."""
    stream = iter(source)
    head = b""
    while len(head) < len(BOM):
        block = next(stream, None)
        if block is None:
            break
        head += block
    skip = len(BOM) if head.startswith(BOM) else 0

    def again() -> Iterator[bytes]:
        if head[skip:]:
            yield head[skip:]
        yield from stream

    return skip, again()


def _lines(source: Iterable[bytes], offset: int) -> Iterator[Span]:
    number, start = 0, offset
    for block in source:
        for found in re.finditer(b"\n", block):
            number += 1
            end = offset + found.start()
            yield Span(number, start, start, end, end + 1, b"")
            start = end + 1
        offset += len(block)
    if start < offset:
        yield Span(number + 1, start, start, offset, offset, b"")


def _records(source: list[bytes], offset: int, limits: Limits) -> Iterator[Span]:
    """A record is as many lines as its bytes have line ends, and one; also where a long line was cut short."""
    places = _lines(source, offset)
    for number, raw, _ in framing.records(source, limits):
        found = [next(places) for _ in range(raw.count(b"\n") + 1)]
        yield Span(number, found[0].start, found[0].start, found[-1].end, found[-1].stop, raw)
