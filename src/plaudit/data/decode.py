"""One JSON row: decoded fast, checked for what a fast decoder hides, and explained when it is broken."""

import json
import re
from typing import Any

import msgspec

from plaudit.data.limits import LIMITS, Limits

_decode = msgspec.json.Decoder().decode
_BYTE = re.compile(r"\(byte (\d+)\)")
_PLACE = re.compile(r"(: byte 0x[0-9a-f]{2})? at byte \d+$")
_KINDS = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}


class Broken(Exception):
    """Why a row cannot be decoded; the message is the reason that a person reads."""


def decode(raw: bytes, limits: Limits = LIMITS) -> dict[str, Any]:
    """The JSON object in `raw`; raises Broken with a reason.

    >>> decode(b'{"a": 1}')
    {'a': 1}
    >>> decode(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    plaudit.data.decode.Broken: the key 'a' occurs twice
    """
    try:
        row = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Broken(_reason(raw, error, limits)) from error
    if type(row) is not dict:
        raise Broken(f"{_KINDS[type(row)]} where an object must be")
    # Every key ends in a quote and a colon, with white space between them at most: as many as there are keys means
    # that no key was written twice. Text may hold the same bytes, so more than that only asks for the slow look.
    ends = raw.count(b'":') + raw.count(b" :")
    if b"\n" in raw or b"\t" in raw or b"\r" in raw:
        ends += raw.count(b"\n:") + raw.count(b"\t:") + raw.count(b"\r:")
    if ends != len(row) or raw.count(b"[") + raw.count(b"{") > limits.depth:
        keys, depth = _keys_and_depth(row)
        if depth > limits.depth:
            raise Broken(_too_deep(limits))
        if ends != keys:
            _refuse_repeated_keys(raw)
    return row


def without_place(reason: str) -> str:
    """A reason without the byte at which its row is broken: rows that are broken alike are counted together.

    >>> without_place("not UTF-8: byte 0xe9 at byte 65"), without_place("broken JSON: a raw NUL at byte 3")
    ('not UTF-8', 'broken JSON: a raw NUL')
    """
    return _PLACE.sub("", reason)


def _too_deep(limits: Limits) -> str:
    return f"nested more than {limits.depth} levels deep"


def _keys_and_depth(value: Any) -> tuple[int, int]:
    """Number of object keys at every level, and the deepest level."""
    keys = depth = 0
    level = [value]
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                keys += len(node)
                below += node.values()
            elif type(node) is list:
                below += node
        level = [node for node in below if type(node) is dict or type(node) is list]
    return keys, depth


def _refuse_repeated_keys(raw: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    raise Broken(f"the key {key!r} occurs twice")
                seen.add(key)
        return row

    try:
        json.loads(raw, object_pairs_hook=once, parse_int=str, parse_float=str)
    except RecursionError:  # deeper than the standard library goes; the depth limit has spoken already
        return


def _reason(raw: bytes, error: Exception, limits: Limits) -> str:
    """Why msgspec refused the row, in words of ours that do not change with its version."""
    if isinstance(error, RecursionError):
        return _too_deep(limits)
    if raw[-1:].isspace():  # the end of a line is no part of what is wrong with it
        raw = raw.rstrip(b" \t\r\n")
        try:
            _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as again:
            error = again
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return f"not UTF-8: byte 0x{raw[wrong.start]:02x} at byte {wrong.start}"
    if not text.strip(" \t\r\n"):
        return "an empty line"
    if "\0" in text:
        return f"broken JSON: a raw NUL at byte {raw.index(0)}"
    loose = _what_python_takes(text)
    if loose:
        return loose
    found = _BYTE.search(str(error))
    if "out of range" in str(error):
        return "a number too large to hold"
    if found:
        return f"broken JSON at byte {found[1]}"
    return "broken JSON: cut off before its end"


def _what_python_takes(text: str) -> str:
    """NaN, lone surrogates and overflowing numbers are JSON to Python's own parser, so it can tell them apart."""
    constants: list[str] = []
    try:
        value = json.loads(text, parse_constant=lambda name: constants.append(name), parse_int=str)
    except (ValueError, RecursionError):
        return ""
    if constants:
        return f"{constants[0]} is not a JSON number"
    lone = re.search(r"[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))
    if lone:
        return f"half of a character: the lone surrogate \\u{ord(lone[0]):04x}"
    return ""
