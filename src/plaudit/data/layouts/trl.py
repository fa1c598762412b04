"""TRL explicit: `prompt`, `chosen`, `rejected` as text or messages, the sides without the prompt; `margin`, `tools`.

Also what NeMo-RL's BinaryPreferenceDataset and OpenRLHF read under their prompt, chosen and rejected keys.
Docs: https://huggingface.co/docs/trl/dataset_formats. Where a side repeats the whole prompt, it is taken off.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, is_turn, is_turns, side, spoken
from plaudit.data.layouts._pairs import (
    PAIR_FIELDS,
    beside,
    exchange,
    is_raw,
    judged,
    only_text,
    plain,
    refuse,
    sides,
    structured,
)  # fmt: skip
from plaudit.records import Conversation, Preference, Record

HOLDS = PAIR_FIELDS
READ_BY_TOOL = frozenset({"margin"})
PARQUET = {"prompt": "messages", "chosen": "messages", "rejected": "messages", "tools": "json"}


def recognises(row: Row) -> bool:
    prompt, chosen = row.get("prompt"), row.get("chosen")
    return (isinstance(prompt, str) or is_turns(prompt)) and (
        "rejected" in row and (isinstance(chosen, str) or is_turns(chosen) or is_turn(chosen))
    )


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = spoken(row.get("prompt"), "prompt", where, "user")
    chosen, rejected = side(row, "chosen", where), side(row, "rejected", where)
    n = len(prompt)
    if _repeats(prompt, chosen) and _repeats(prompt, rejected):
        chosen, rejected = chosen[n:], rejected[n:]
    return (judged(row, where, prompt, (chosen, rejected)),)


def _repeats(prompt: Conversation, answer: Conversation) -> bool:
    # A user turn opens no answer, so this is a whole conversation although the prompt stands beside it.
    return bool(prompt) and answer[: len(prompt)] == prompt and prompt[-1].role == "user" and len(answer) > len(prompt)


def write(record: Record) -> Row:
    """Conversational; text that is already rendered goes out as plain strings, which TRL sends through no template."""
    record, chosen, rejected = sides(record)
    if not record.prompt:
        raise refuse(record, "no prompt")
    if _repeats(record.prompt, chosen) and _repeats(record.prompt, rejected):
        raise refuse(record, "responses that repeat the prompt")
    if is_raw(record):
        texts = ["".join(text for _, text in only_text(turns, record)) for turns in (record.prompt, chosen, rejected)]
        row: Row = dict(zip(("prompt", "chosen", "rejected"), texts))
    else:
        row = {"prompt": plain(record.prompt), "chosen": plain(chosen), "rejected": plain(rejected)}
    row |= beside(record) | {"margin": record.margin}  # TRL fails on a batch in which only some rows have one
    for name in ("tools", "chat_template_kwargs"):  # TRL looks for these two at the top
        if (value := structured(record, name)) is not None:
            row[name] = value
    return row


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
