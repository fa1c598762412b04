"""LLaMA-Factory ranking, ShareGPT style: `conversations` of `from`/`value`, `chosen` and `rejected` one message each.

A `system` text and a `tools` description may stand beside. Messages of `role`/`content` are read too.
"""

from collections.abc import Iterable
from pathlib import Path

from plaudit.data.layouts._fields import Row, is_turn, is_turns, maybe, side, turns
from plaudit.data.layouts._pairs import exchange, judged, only_text, refuse, sides
from plaudit.errors import DataError
from plaudit.records import Preference, Record, message

SPECIFICITY = 30
HOLDS: frozenset[str] = frozenset()
PARQUET = {"conversations": "sharegpt", "chosen": "sharegpt message", "rejected": "sharegpt message", "system": "text"}
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
    said = only_text(record.prompt, record)
    row: Row = {}
    if said and said[0][0] == "system":
        row["system"] = said.pop(0)[1]
    if not said or [role for role, _ in said] != [("user", "assistant")[i % 2] for i in range(len(said))]:
        raise refuse(record, "turns that do not alternate between user and assistant")
    if len(said) % 2 == 0:
        raise refuse(record, "a prompt that does not end with a user turn")
    if "system" in row and not row["system"]:
        raise refuse(record, "an empty system turn")
    row["conversations"] = [{"from": _SPEAKERS[role], "value": words} for role, words in said]
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if len(answer) != 1 or answer[0].role != "assistant":
            raise refuse(record, "a response that is not one assistant turn")
        row[name] = {"from": "gpt", "value": only_text(answer, record)[0][1]}
    return row


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))


def companion(path: Path) -> tuple[str, Row]:
    """The entry of `dataset_info.json` that makes LLaMA-Factory read the file: (name, entry)."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"}
    name = path.name.split(".", 1)[0]
    return name, {"file_name": path.name, "ranking": True, "formatting": "sharegpt", "columns": columns}


def usage(path: str) -> str:
    """Where the file's entry for LLaMA-Factory stands."""
    return f"merge {path}.dataset_info.json into LLaMA-Factory's data/dataset_info.json"
