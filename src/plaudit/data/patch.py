"""Changes cut into a file's bytes, and taken out again: what is not changed is copied as it stands.

A repaired file is the old one with some stretches replaced. The ledger keeps, for each, where the new bytes stand and
what stood there before; so undoing needs to know nothing about layouts, and bad lines, blank lines, byte order marks
and missing line ends come back because nothing ever touched them.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from plaudit.errors import PlauditError


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes `start` to `end` become `new`. `notes`: what the ledger says about it, one line each."""

    start: int
    end: int
    new: bytes
    notes: tuple[Mapping[str, Any], ...] = field(default=())


def trimmed(start: int, old: bytes, new: bytes, notes: tuple[Mapping[str, Any], ...] = ()) -> Edit:
    """The edit that makes `old`, which begins at `start`, into `new`: no longer than it must be.

    >>> trimmed(10, b'{"a": 1}', b'{"a": 1, "b": 2}')
    Edit(start=17, end=17, new=b', "b": 2', notes=())
    """
    most = min(len(old), len(new))
    head = _shared(old, new, most)
    tail = _shared(old[::-1], new[::-1], most - head)
    return Edit(start + head, start + len(old) - tail, new[head : len(new) - tail], notes)


def _shared(one: bytes, two: bytes, most: int) -> int:
    """Length of the common beginning, at most `most`: by halving, since comparing slices is fast."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == two[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def patch(source: Iterable[bytes], edits: Iterable[Edit], done: Callable[[Edit, bytes, int], None]) -> Iterator[bytes]:
    """The blocks of `source` with every edit made. `done` hears of each: the edit, the old bytes, where the new begin.

    Edits come in order and do not overlap.

    Raises:
        PlauditError: the source ends before an edit does.

    >>> b"".join(patch([b"abc", b"def"], [Edit(1, 4, b"X"), Edit(6, 6, b"!")], lambda *_: None))
    b'aXef!'
    """
    stream, at, written = _Stream(source), 0, 0
    for edit in edits:
        for piece in stream.take(edit.start - at):
            written += len(piece)
            yield piece
        old = b"".join(stream.take(edit.end - edit.start))
        if len(old) != edit.end - edit.start or stream.read != edit.end:
            raise PlauditError("the file changed while it was being read", advice="run the command again")
        done(edit, old, written)
        yield edit.new
        written += len(edit.new)
        at = edit.end
    yield from stream.rest()


class _Stream:
    """Blocks, taken by the number of bytes."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source, self._block, self._at, self.read = iter(source), b"", 0, 0

    def take(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if self._at == len(self._block):
                block = next(self._source, None)
                if block is None:
                    return
                self._block, self._at = block, 0
            piece = self._block[self._at : self._at + size]
            self._at += len(piece)
            self.read += len(piece)
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes]:
        yield self._block[self._at :]
        yield from self._source


def entry(edit: Edit, old: bytes, at: int) -> Iterator[dict[str, Any]]:
    """The ledger's lines for an edit made: its notes, and on the first of them what undoing needs."""
    undo: dict[str, Any] = {"at": at, "new": len(edit.new)}
    try:
        undo["old"] = old.decode("utf-8")
    except UnicodeDecodeError:  # a broken line that was cut, or a cut between the bytes of one character
        undo["old_base64"] = base64.b64encode(old).decode("ascii")
    for place, note in enumerate(edit.notes or ({},)):
        yield {**note, **(undo if not place else {})}


def undo(source: Iterable[bytes], ledger: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The original bytes from repaired ones and the ledger's lines.

    >>> lines = []
    >>> new = b"".join(patch([b"abcdef"], [Edit(1, 4, b"X")], lambda *made: lines.extend(entry(*made))))
    >>> b"".join(undo([new], lines))
    b'abcdef'
    """
    return patch(source, _back(ledger), lambda *_: None)


def _back(ledger: Iterable[Mapping[str, Any]]) -> Iterator[Edit]:
    for line in ledger:
        if "at" in line:
            old = line["old"].encode() if "old" in line else base64.b64decode(line["old_base64"])
            yield Edit(line["at"], line["at"] + line["new"], old)
