"""Edits in the text of one row: values move as the bytes they are, and nothing else of the row is written anew."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

Row = Mapping[str, Any]
_SPACE = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # numbers of any length pass


def edited_json(raw: bytes, before: Row, after: Row) -> bytes:
    """The bytes of a JSON object whose values were `before`, with the values `after`.

    A value that was another key's before keeps that key's bytes; new keys go to the end, spaced as the file does it.

    >>> edited_json(b'{"a": 1.50, "b":[2]}', {"a": 1.5, "b": [2]}, {"a": [2], "b": 1.5, "c": 0.25})
    b'{"a": [2], "b":1.50, "c": 0.25}'
    """
    text = raw.decode("utf-8")
    members = _members(text)
    texts = {key: text[at:end] for key, _, at, end in members}
    moved = {key: _new_text(key, before, after, texts, _json_text) for key in after}
    if any(key not in after for key, *_ in members):
        return _anew(text, members, moved)
    out, last = [], 0
    for key, _, at, end in members:
        out += [text[last:at], moved[key]]
        last = end
    space, colon = _manner(text, members)
    out += [f",{space}{_json_text(key)}{colon}{moved[key]}" for key in moved if key not in texts]
    return "".join([*out, text[last:]]).encode("utf-8")


def _members(text: str) -> list[tuple[str, int, int, int]]:
    """(key, where the key begins, where its value begins and ends) of an object's members."""
    out: list[tuple[str, int, int, int]] = []
    at = _after(text, text.index("{") + 1)
    while text[at] != "}":
        begin = at if text[at] == '"' else _after(text, at + 1)  # a comma stands before all but the first
        key, at = _scan(text, begin)
        value = _after(text, _after(text, at) + 1)
        _, end = _scan(text, value)
        out.append((key, begin, value, end))
        at = _after(text, end)
    return out


def _after(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _manner(text: str, members: Sequence[tuple[str, int, int, int]]) -> tuple[str, str]:
    """How this row is spaced: what stands after a comma, and between a key and its value."""
    _, begin, at, _ = members[0]
    colon = text[_scan(text, begin)[1] : at]
    for one, two in pairwise(members):
        return text[one[3] : two[1]].replace(",", "", 1), colon
    return text[text.index("{") + 1 : begin], colon


def _anew(text: str, members: Sequence[tuple[str, int, int, int]], moved: Mapping[str, str]) -> bytes:
    """The object put together again, where a key has gone: only its spacing is new."""
    inside = ", ".join(f"{_json_text(key)}: {value}" for key, value in moved.items())
    tail = text[text.rindex("}") + 1 :]
    return f"{text[: text.index('{')]}{{{inside}}}{tail}".encode()


def _new_text(key: str, before: Row, after: Row, texts: Mapping[str, str], write: Callable[[Any], str]) -> str:
    """The text of a value: its old text, that of the key which it comes from, or a new one."""
    value = after.get(key)
    if key in before and same(before[key], value):
        return texts[key]
    for other, old in before.items():
        if other in texts and same(old, value) and not (other in after and same(old, after[other])):
            return texts[other]  # what stood there has moved here
    return write(value)


def same(one: Any, two: Any) -> bool:
    """Equal, and of one type: true is not 1."""
    return type(one) is type(two) and one == two


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def edited_csv(raw: bytes, header: Sequence[str], mark: str, before: Row, after: Row, added: Sequence[str]) -> bytes:
    """The bytes of a csv record with the values `after`; cells of the columns `added` follow at its end.

    Raises:
        ValueError: the record cannot be cut into one cell a column.

    >>> edited_csv(b'"a, b",c', ["x", "y"], ",", {"x": "a, b", "y": "c"}, {"x": "c", "y": "a, b", "z": 0.5}, ["z"])
    b'c,"a, b",0.5'
    """
    text = raw.decode("utf-8")
    cuts = _cells(text, mark)
    if len(cuts) != len(header):
        raise ValueError(f"{len(cuts)} cells under {len(header)} columns")
    texts = {name: text[start:end] for name, (start, end) in zip(header, cuts)}

    def cell(value: Any) -> str:
        return _cell_text(value, mark)

    out, last = [], 0
    for name, (start, end) in zip(header, cuts):
        out += [text[last:start], _new_text(name, before, after, texts, cell)]
        last = end
    out += [mark + cell(after.get(name)) for name in added]
    return "".join([*out, text[last:]]).encode("utf-8")


def _cells(text: str, mark: str) -> list[tuple[int, int]]:
    """Where each cell of a record begins and ends, quotes included; none when a quote is never closed."""
    stop = re.compile(f"[{re.escape(mark)}\r\n]")
    out: list[tuple[int, int]] = []
    at = 0
    while True:
        start = at
        if text[at : at + 1] == '"':
            quoted = re.compile(r'"[^"]*(?:""[^"]*)*"').match(text, at)
            if quoted is None:
                return []
            at = quoted.end()
        found = stop.search(text, at)
        end = found.start() if found else len(text)
        out.append((start, end))
        if found is None or found[0] != mark:
            return out
        at = end + 1


def _cell_text(value: Any, mark: str) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        value = _json_text(value)
    line = io.StringIO()
    csv.writer(line, delimiter=mark, lineterminator="\r\n").writerow([value])  # without one, line breaks stay unquoted
    return line.getvalue().removesuffix("\r\n")
