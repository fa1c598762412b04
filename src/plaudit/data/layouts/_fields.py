"""Values out of a row: each reader takes what its field must hold and otherwise says what stands there instead."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from plaudit.errors import DataError
from plaudit.records import Conversation, Message

Row = dict[str, Any]

_KINDS = {list: "an array", dict: "an object", str: "text", bool: "a boolean", int: "a number", float: "a number"}
_ROLES = {
    "human": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "bot": "assistant", "model": "assistant", "observation": "tool", "function_response": "tool",
    "prompter": "user", "Human": "user", "Assistant": "assistant", "User": "user", "System": "system",
}  # fmt: skip
# What a message may carry beside its content; each becomes a part, so that nothing a template could show is lost.
CARRIED = ("tool_calls", "tool_call_id", "name", "reasoning_content")


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def encoded(value: Any) -> str:
    """Text as it is, anything else as compact JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def decoded(value: Any, key: str, where: str) -> Any:
    """The value of a cell that holds JSON as text; other values pass."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(where, f"{key} is text that is not JSON") from error


def wrong(row: Row, key: str, where: str, wanted: str) -> DataError:
    """The error for a field that is missing or of another type."""
    return DataError(where, f"{key} is {kind(row[key])}, not {wanted}" if key in row else f"{key} is missing")


def text(row: Row, key: str, where: str) -> str:
    """A string that must be there; it may be empty."""
    value = row.get(key)
    if type(value) is not str:
        raise wrong(row, key, where, "text")
    return value


def filled(row: Row, key: str, where: str) -> str:
    """A string with something in it."""
    value = text(row, key, where)
    if not value or value.isspace():
        raise DataError(where, f"{key} is empty")
    return value


def maybe(row: Row, key: str, where: str) -> str:
    """A string, or "" where the field is missing or null."""
    return "" if row.get(key) is None else text(row, key, where)


def number(row: Row, key: str, where: str) -> float:
    """A finite number; csv cells that spell one count. A boolean is not a number."""
    value: Any = row.get(key)
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            raise wrong(row, key, where, "a number") from None
    if type(value) not in (int, float):
        raise wrong(row, key, where, "a number")
    try:
        value = float(value)
    except OverflowError:  # an integer of more than 308 digits
        raise DataError(where, f"{key} is too large a number") from None
    if not isfinite(value):
        raise DataError(where, f"{key} is not finite")
    return value


def whole(row: Row, key: str, where: str) -> int:
    """An integer, also when written 1.0."""
    value = number(row, key, where)
    if value != int(value):
        raise DataError(where, f"{key} is {value:g}, not a whole number")
    return int(value)


def mirrored(value: Any, total: int = 0) -> Any:
    """`total` minus a number that `number` read: text stays text, and an integer one.

    >>> mirrored(2), mirrored("-1.5"), mirrored("1", 3)
    (-2, '1.5', '2')
    """
    if type(value) is not str:
        return total - value
    other = total - float(value)
    return str(int(other)) if other == int(other) else repr(other)


def items(row: Row, key: str, where: str) -> list[Any]:
    """A list that must be there."""
    value = row.get(key)
    if type(value) is not list:
        raise wrong(row, key, where, "an array")
    return value


def strings(row: Row, key: str, where: str) -> tuple[str, ...]:
    """A list of strings."""
    values = items(row, key, where)
    for i, value in enumerate(values, 1):
        if type(value) is not str:
            raise DataError(where, f"{key} {i} is {kind(value)}, not text")
    return tuple(values)


def mapping(row: Row, key: str, where: str) -> Row:
    """An object that must be there."""
    value = row.get(key)
    if type(value) is not dict:
        raise wrong(row, key, where, "an object")
    return value


def is_turns(value: Any) -> bool:
    """Whether a value looks like a list of messages, of either dialect."""
    return type(value) is list and bool(value) and is_turn(value[0])


def is_turn(value: Any) -> bool:
    """Whether a value looks like one message, of either dialect."""
    return type(value) is dict and (("role" in value and "content" in value) or ("from" in value and "value" in value))


def turns(value: Any, key: str, where: str) -> Conversation:
    """A list of `role`/`content` or `from`/`value` messages, or one such message, as a conversation."""
    if type(value) is not list:
        if type(value) is dict:
            return (turn(value, key, where),)
        raise DataError(where, f"{key} is {kind(value)}, not messages")
    return tuple([turn(message, key, where) for message in value])


def turn(value: Any, key: str, where: str) -> Message:
    """One message; its content is text, or a list of parts."""
    if type(value) is not dict:
        raise DataError(where, f"{key} holds {kind(value)} where a message must be")
    role = value.get("role", value.get("from"))
    if type(role) is not str or not role:
        raise DataError(where, f"{key} holds a message without a role")
    content = value.get("content", value.get("value"))
    if type(content) is str:
        parts: tuple[str | Mapping[str, Any], ...] = (content,)
    elif type(content) is list:
        parts = tuple([_part(part, key, where) for part in content])
    elif content is None and any(value.get(name) is not None for name in CARRIED):
        parts = ()
    else:
        raise DataError(where, f"{key} holds a message whose content is {kind(content)}")
    if len(value) > 2:
        parts += tuple([{"type": name, name: value[name]} for name in CARRIED if value.get(name) is not None])
    return Message(_ROLES.get(role, role), parts)


def _part(part: Any, key: str, where: str) -> str | Mapping[str, Any]:
    if type(part) is str:
        return part
    if type(part) is not dict:
        raise DataError(where, f"{key} holds a message with {kind(part)} among its parts")
    only = {name: value for name, value in part.items() if value is not None}
    if only.get("type") == "text" and len(only) == 2 and type(only.get("text")) is str:
        return only["text"]
    return only


def spoken(value: Any, key: str, where: str, role: str) -> Conversation:
    """Text becomes one message of that role; messages become a conversation."""
    if type(value) is str:
        return (Message(role, (value,)),)
    if value is None:
        raise DataError(where, f"{key} is missing")
    return turns(value, key, where)


def side(row: Row, key: str, where: str) -> Conversation:
    """A response: text, a message or messages."""
    value = row.get(key)
    if value is None:
        raise wrong(row, key, where, "text or messages")
    if type(value) not in (str, list, dict):
        raise wrong(row, key, where, "text or messages")
    return spoken(value, key, where, "assistant")
