"""Cuts a stream of bytes into rows without holding more than one: lines, elements of an array, values of an object."""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from plaudit.data.limits import KEPT_OF_LONG, Limits
from plaudit.data.opening import Cut

BROKEN = "broken JSON in this record"
Frame = tuple[int, bytes, str]  # number from 1, raw bytes, reason why it cannot be decoded ('' when it may be)
_TOKEN = re.compile(
    rb'[ \t\r\n]*+(?:("[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")'
    rb"|([{}\[\],:])|(true|false|null|NaN|-?Infinity|-?[0-9][0-9.eE+-]*+)(?=[ \t\r\n,}\]]))",
    re.DOTALL,
)
_FIRST_KEY = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_SPACE = b" \t\r\n"
_CLOSES = {b"}": b"{", b"]": b"["}


class Beginning(bytes):
    """The first bytes of a row too long to hold. The whole lies `size` bytes long from byte `at` of the contents:

    what the file unpacks to, without a byte order mark.
    """

    at = size = 0

    @classmethod
    def of(cls, first: bytes, at: int, size: int) -> "Beginning":
        """The first bytes that are kept, with where the whole lies."""
        made = cls(first)
        made.at, made.size = at, size
        return made


def too_long(size: int, limits: Limits) -> str:
    """The reason given for a row over the limit."""
    return f"{size:,} bytes long, over the limit of {limits.line_bytes:,} (line_bytes)"


def lines(blocks: Iterable[bytes], limits: Limits, *, blank: bool = False) -> Iterator[Frame]:
    """Every line, blank ones only counted (or given out too); a line over the limit is skipped in bounded memory.

    >>> [f for f in lines([b'{"a"', b': 1}\\n\\n[2'], Limits())]
    [(1, b'{"a": 1}', ''), (3, b'[2', '')]
    """
    number, rest, dropped, read = 0, b"", 0, 0
    try:
        for block in blocks:
            read += len(block)
            if dropped or (b"\n" not in block and len(rest) + len(block) > limits.line_bytes):
                end = block.find(b"\n")
                if end < 0:
                    dropped += len(rest) + len(block) if not dropped else len(block)
                    rest = rest[:KEPT_OF_LONG] or block[:KEPT_OF_LONG]
                    continue
                number += 1
                start = read - len(block) - dropped
                yield number, Beginning.of(rest[:KEPT_OF_LONG], start, dropped + end), too_long(dropped + end, limits)
                rest, dropped, block = b"", 0, block[end + 1 :]
            whole = (rest + block).split(b"\n")
            rest, first = whole.pop(), number + 1
            for raw in whole:
                number += 1
                if len(raw) > limits.line_bytes:
                    start = read - len(rest) - sum(len(each) + 1 for each in whole[number - first :])
                    yield number, Beginning.of(raw[:KEPT_OF_LONG], start, len(raw)), too_long(len(raw), limits)
                elif blank or (raw and not raw.isspace()):
                    yield number, raw, ""
    except Cut as cut:
        yield number + 1, Beginning.of(rest, read - dropped, dropped) if dropped else rest, cut.reason
        return
    if dropped or len(rest) > limits.line_bytes:
        size = dropped or len(rest)
        yield number + 1, Beginning.of(rest[:KEPT_OF_LONG], read - size, size), too_long(size, limits)
    elif rest and not rest.isspace():
        yield number + 1, rest, ""


def records(blocks: Iterable[bytes], limits: Limits) -> Iterator[Frame]:
    """CSV records: lines joined while a quoted value is open, the header being record 0.

    A quote opens a value where a cell begins; anywhere else in an unquoted cell it is text. Where a quote is never
    closed the record is its first line alone, and reading goes on with the next.
    """
    number, held, size, inside, marks = -1, list[bytes](), 0, False, MARKS
    source, again = lines(blocks, limits, blank=True), deque[tuple[bytes, str]]()
    while True:
        line = again.popleft() if again else next(((raw, fault) for _, raw, fault in source), None)
        if line is None and not held:
            return
        if line is not None:
            held.append(line[0])
            size, inside = size + len(line[0]) + 1, _quoted(line[0], inside, marks)
            if not line[1] and inside and size <= limits.line_bytes:
                continue
        number += 1
        if number == 0:
            marks = delimiter(held[0]).encode()
        if line is not None and (line[1] or not inside):
            yield number, _joined(held), line[1]
        else:
            yield number, held[0], "a quoted value is never closed"
            again.extendleft((raw, "") for raw in reversed(held[1:]))
        held, size, inside = [], 0, False


MARKS = b",\t;"


def delimiter(header: bytes) -> str:
    """The delimiter of a csv file: the one that its header uses most.

    >>> delimiter(b"prompt;chosen, or so;rejected")
    ';'
    """
    return chr(max(MARKS, key=header.count))


def _quoted(line: bytes, inside: bool, marks: bytes) -> bool:
    """Whether a quoted value is open at the end of a line, and so goes on in the next; `inside`: at its beginning."""
    at = 0
    while line.find(b'"', at) >= 0:
        if inside:
            at = line.find(b'"', at) + 1
            inside = line[at : at + 1] == b'"'  # twice: a quote in the value
            at += inside
        elif line[at : at + 1] == b'"' and (at == 0 or line[at - 1] in marks):
            inside, at = True, at + 1
        else:
            starts = [i for mark in marks if (i := line.find(bytes((mark, 34)), at)) >= 0]
            if not starts:
                return False
            inside, at = True, min(starts) + 2
    return inside


def _joined(held: list[bytes]) -> bytes:
    """The lines of a record as one; where the last is too long to hold, the record is."""
    whole, last = b"\n".join(held), held[-1]
    if not isinstance(last, Beginning):
        return whole
    before = len(whole) - len(last)
    return Beginning.of(whole, last.at - before, last.size + before)


class _Buffer:
    """A window on a stream of blocks: bytes before the row being read are let go."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.source, self.data, self.at, self.cut, self.ended = iter(blocks), b"", 0, "", False
        self.base = self.key = 0  # where `data` begins in the stream; where the row, or its key, began

    @property
    def offset(self) -> int:
        """Bytes of the stream before the position."""
        return self.base + self.at

    def more(self) -> bool:
        """Append the next block; False at the end of the stream. Grows by doubling so that long rows stay linear."""
        got: list[bytes] = []
        size, wanted = 0, max(1, len(self.data) - self.at)
        while not self.ended and size < wanted:
            try:
                block = next(self.source, None)
            except Cut as cut:
                self.cut, block = cut.reason, None
            if block is None:
                self.ended = True
            else:
                got.append(block)
                size += len(block)
        if got:  # else positions found in `data` stay what they are
            self.data = self.data[self.at :] + b"".join(got)
            self.base += self.at
            self.at = 0
        return bool(got)


def values(blocks: Iterable[bytes], limits: Limits, *, inside: bool) -> Iterator[Frame]:
    """Values of one array or of one object of rows (`inside`), or values that follow one another.

    A broken value ends where the next one begins as the first one did, so one broken row costs one row.

    >>> [raw for _, raw, _ in values([b'[{"a": 1}, {"a', b'": [2]}]'], Limits(), inside=True)]
    [b'{"a": 1}', b'{"a": [2]}']
    """
    for number, raw, reason, *_ in placed(blocks, limits, inside=inside):
        yield number, raw, reason


def placed(blocks: Iterable[bytes], limits: Limits, *, inside: bool) -> Iterator[tuple[int, bytes, str, int, int, int]]:
    """The same with where each lies in the stream: start (of its key, in an object of rows), value, end."""
    buffer, number, start = _Buffer(blocks), 0, b""
    opened = _open(buffer) if inside else b""
    while _gap(buffer, opened):
        number += 1
        at = buffer.offset
        end, reason = _value_end(buffer, limits)
        if not reason:
            raw = buffer.data[buffer.at : end]
            buffer.at = end
            start = start or _begins(raw)
            if len(raw) > limits.line_bytes:
                raw, reason = Beginning.of(raw[:KEPT_OF_LONG], at, len(raw)), too_long(len(raw), limits)
        else:
            raw, size = _resume(buffer, _next_value(start, opened), limits)
            if size > limits.line_bytes:
                raw, reason = Beginning.of(raw, at, size), too_long(size, limits)
        yield number, raw, reason, buffer.key, at, buffer.offset
    left = buffer.data[buffer.at : buffer.at + KEPT_OF_LONG]
    if buffer.cut and not (number and reason):
        yield number + 1, left, buffer.cut, buffer.offset, buffer.offset, buffer.offset
    elif opened and not left.startswith(b"]" if opened == b"[" else b"}") and not (number and reason):
        at = buffer.offset
        yield number + 1, left, "the file ends before its closing bracket", at, at, at


def _open(buffer: _Buffer) -> bytes:
    while not buffer.data.lstrip(_SPACE) and buffer.more():
        pass
    buffer.at = len(buffer.data) - len(buffer.data.lstrip(_SPACE)) + 1
    return buffer.data[buffer.at - 1 : buffer.at]


def _gap(buffer: _Buffer, opened: bytes) -> bool:
    """Move to the next value, over commas and (in an object) its key; False when there is none."""
    while True:
        rest = re.compile(rb"[\s,]*").match(buffer.data, buffer.at)
        buffer.at = rest.end() if rest else buffer.at
        if buffer.at < len(buffer.data):
            break
        if not buffer.more():
            return False
    if buffer.data[buffer.at : buffer.at + 1] == (b"]" if opened == b"[" else b"}") and opened:
        return False
    buffer.key = buffer.offset
    if opened == b"{":
        return _key(buffer)
    return True


def _key(buffer: _Buffer) -> bool:
    while True:
        key = re.compile(rb'"(?:[^"\\]|\\.)*+"\s*+:\s*+(?=\S)').match(buffer.data, buffer.at)
        if key:
            buffer.at = key.end()
            return True
        if len(buffer.data) - buffer.at > 65536 or not buffer.more():
            return buffer.at < len(buffer.data)


def _begins(raw: bytes) -> bytes:
    found = _FIRST_KEY.match(raw)
    return found[0] if found else b""


def _value_end(buffer: _Buffer, limits: Limits) -> tuple[int, str]:
    """Where the value at the buffer's position ends, or why that cannot be told."""
    open_brackets: list[bytes] = []
    at, last = 0, b""  # at: relative to the buffer's position
    while True:
        token = _TOKEN.match(buffer.data, buffer.at + at)
        if token is None or (token.end() == len(buffer.data) and not buffer.ended):
            if len(buffer.data) - buffer.at > limits.line_bytes:
                return 0, "too long"
            if token is None and _is_wrong(buffer.data, buffer.at + at):
                return 0, BROKEN
            if buffer.more():
                continue
            if token is None:
                return 0, buffer.cut or "broken JSON: the file ends inside this record"
        mark = token[2] or (b'"' if token[1] else b"0")
        if mark in b"{[":
            if last == b"," and open_brackets[-1] == b"{":
                return 0, BROKEN
            open_brackets.append(mark)
        elif mark in b"}]":
            if not open_brackets or open_brackets.pop() != _CLOSES[mark]:
                return 0, BROKEN
        elif mark in b",:" and not open_brackets:
            return 0, BROKEN
        at, last = token.end() - buffer.at, mark
        if not open_brackets:
            return buffer.at + at, ""


def _is_wrong(data: bytes, at: int) -> bool:
    """Whether no further bytes could make a token of what stands here."""
    rest = data[at : at + 4096].lstrip(_SPACE)
    if not rest:
        return False
    if rest[:1] == b'"':  # a control character inside a string, where the next block cannot mend it
        body = re.compile(rb'[ \t\r\n]*+"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+', re.DOTALL).match(data, at)
        return body is not None and body.end() < len(data) and data[body.end()] < 32
    return len(rest) > 64 or re.match(rb"[a-zA-Z0-9.+-]*+$", rest) is None


def _next_value(start: bytes, opened: bytes) -> re.Pattern[bytes]:
    """What stands where another value begins: a comma or a new line, the value's key, and how the first one began."""
    key = rb'"(?:[^"\\\n]|\\.)*+"\s*+:\s*+' if opened == b"{" else b""
    if start:
        return re.compile(rb"[,\n]\s*+" + key + re.escape(start))
    return re.compile(rb",\s*+\n\s*+" + key + rb"\{|\}\s*+,\s*+(?=" + key + rb"\{)")


def _resume(buffer: _Buffer, pattern: re.Pattern[bytes], limits: Limits) -> tuple[bytes, int]:
    """Give up the value at the buffer's position: skip to where the next one begins; its bytes and their number."""
    kept, size, step = b"", 0, 1
    while True:
        found = pattern.search(buffer.data, buffer.at + step)
        if found:
            end = found.start() + (1 if found[0].startswith(b"}") else 0)
            kept = kept or buffer.data[buffer.at : end]
            size += end - buffer.at
            buffer.at = end
            break
        if len(buffer.data) - buffer.at > limits.line_bytes:  # let go of all but what may begin the next value
            kept = kept or buffer.data[buffer.at : buffer.at + KEPT_OF_LONG]
            keep = max(buffer.at, len(buffer.data) - len(pattern.pattern) - 4096)
            size += keep - buffer.at
            buffer.at = keep
        if not buffer.more():
            kept = kept or buffer.data[buffer.at :]
            size += len(buffer.data) - buffer.at
            buffer.at = len(buffer.data)
            break
    return (kept[:KEPT_OF_LONG] if size > limits.line_bytes else kept.rstrip(_SPACE)), size
