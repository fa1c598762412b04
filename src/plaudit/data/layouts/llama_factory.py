"""LLaMA-Factory ranking, ShareGPT style: `conversations` of `from`/`value`, `chosen` and `rejected` one message each.

A `system` text and a `tools` description may stand beside. Messages of `role`/`content` are read too.
"""

from collections.abc import Iterable
from pathlib import Path

from plaudit.data.layouts._fields import Row, is_turn, is_turns, maybe, side, turns
from plaudit.data.layouts._pairs import (
    PAIR_FIELDS,
    beside,
    exchange,
    judged,
    only_text,
    refuse,
    refuse_raw,
    sides,
    structured,
)  # fmt: skip
from plaudit.errors import DataError
from plaudit.records import Preference, Record, message

SPECIFICITY = 30
HOLDS = PAIR_FIELDS
READ_BY_TOOL: frozenset[str] = frozenset()
PARQUET = {
    "conversations": "sharegpt", "chosen": "sharegpt message", "rejected": "sharegpt message", "system": "text",
    "tools": "text",
}  # fmt: skip
_SPEAKERS = {"user": "human", "assistant": "gpt"}


def recognises(row: Row) -> bool:
    talk = row.get("conversations") if "conversations" in row else row.get("messages")
    return is_turns(talk) and is_turn(row.get("chosen")) and "rejected" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    key = "conversations" if "conversations" in row else "messages"
    prompt = turns(row.get(key), key, where)
    if system := maybe(row, "system", where):
        prompt = (message("system", system), *prompt)
    for name in ("chosen", "rejected"):
        if name in row and type(row[name]) is not dict:
            raise DataError(where, f"{name} is not one message")
    return (judged(row, where, prompt, (side(row, "chosen", where), side(row, "rejected", where))),)


def write(record: Record) -> Row:
    """LLaMA-Factory drops in silence what does not alternate from a human turn to a human turn: refused here, aloud."""
    record, chosen, rejected = sides(record)
    refuse_raw(record)
    said = only_text(record.prompt, record)
    has_system = bool(said) and said[0][0] == "system"
    system = said.pop(0)[1] if has_system else ""
    if not said or [role for role, _ in said] != [("user", "assistant")[i % 2] for i in range(len(said))]:
        raise refuse(record, "turns that do not alternate between user and assistant")
    if len(said) % 2 == 0:
        raise refuse(record, "a prompt that does not end with a user turn")
    if has_system and not system:
        raise refuse(record, "an empty system turn")
    row: Row = {"conversations": [{"from": _SPEAKERS[role], "value": words} for role, words in said]}
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if len(answer) != 1 or answer[0].role != "assistant":
            raise refuse(record, "a response that is not one assistant turn")
        row[name] = {"from": "gpt", "value": only_text(answer, record)[0][1]}
    # LLaMA-Factory looks into every column that its entry names, so both stand in every row.
    tools = "" if structured(record, "tools") is None else record.tags["tools"]
    return row | {"system": system, "tools": tools, **beside(record)}


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))


def companion(path: Path) -> tuple[str, Row]:
    """The entry of `dataset_info.json` that makes LLaMA-Factory read the file: (name, entry)."""
    columns = {"messages": "conversations"} | {name: name for name in ("chosen", "rejected", "system", "tools")}
    name = path.name.split(".", 1)[0]
    return name, {"file_name": path.name, "ranking": True, "formatting": "sharegpt", "columns": columns}


def usage(path: str) -> str:
    """Where the file's entry for LLaMA-Factory stands."""
    return f"merge {path}.dataset_info.json into LLaMA-Factory's data/dataset_info.json"
