"""LLaMA-Factory KTO: `messages` that end with the answer, and `label` true or false (`kto_tag` in other files)."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, is_turns, turns
from plaudit.data.layouts._pairs import judged
from plaudit.data.layouts.trl_unpaired import label
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = 20


def recognises(row: Row) -> bool:
    key = "label" if "label" in row else "kto_tag"
    return is_turns(row.get("messages")) and isinstance(row.get(key), bool) and "rejected_response" not in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    said = turns(row.get("messages"), "messages", where)
    if len(said) < 2 or said[-1].role != "assistant":
        raise DataError(where, "messages do not end with an assistant turn after a prompt")
    value = label(row if "label" in row else {**row, "label": row.get("kto_tag")}, where)
    return (judged(row, where, said[:-1], (said[-1:],), None, names=("the answer",), ratings=({"label": value},)),)
