"""ms-swift: `messages` that end with the chosen answer, and `rejected_response` or `rejected_messages`."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, is_turns, side, turns
from plaudit.data.layouts._pairs import judged, shared_turns
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = 40
_NAMES = ("messages", "rejected_messages")


def recognises(row: Row) -> bool:
    return is_turns(row.get("messages")) and ("rejected_response" in row or "rejected_messages" in row)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    said = turns(row.get("messages"), "messages", where)
    if len(said) < 2 or said[-1].role != "assistant":
        raise DataError(where, "messages do not end with an assistant turn after a prompt")
    if row.get("rejected_messages") is not None:
        other = turns(row["rejected_messages"], "rejected_messages", where)
        cut = shared_turns(said, other, where, _NAMES)
        return (judged(row, where, said[:cut], (said[cut:], other[cut:]), names=_NAMES),)
    rejected = side(row, "rejected_response", where)
    return (judged(row, where, said[:-1], (said[-1:], rejected), names=("the last message", "rejected_response")),)


def swap(row: Row, record: Preference) -> Row:
    """Whole lists are exchanged; a bare rejected response trades places with the text of the last message."""
    if row.get("rejected_messages") is not None:
        row["messages"], row["rejected_messages"] = row["rejected_messages"], row["messages"]
    else:
        last = row["messages"][-1]
        key = "content" if "content" in last else "value"
        last[key], row["rejected_response"] = row["rejected_response"], last[key]
    return row
