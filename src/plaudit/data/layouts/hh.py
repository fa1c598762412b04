r"""Anthropic HH: `chosen` and `rejected` are whole dialogues marked `\n\nHuman:` and `\n\nAssistant:`.

Also without the two leading newlines (relabelled sets), and with a marked `prompt` beside bare answers. What Docta
adds (`suggest_chosen_rejected`, `suggest_confidence`) and the relabelled sets' columns become tags.
"""

from collections.abc import Iterable

from plaudit.data.layouts._dialogue import transcript
from plaudit.data.layouts._fields import Row, text
from plaudit.data.layouts._pairs import PAIR_FIELDS, beside, exchange, judged, only_text, refuse, shared_turns, sides
from plaudit.errors import DataError
from plaudit.records import Conversation, Preference, Record, message

SPECIFICITY = 30
HOLDS = PAIR_FIELDS
PARQUET = {"chosen": "text", "rejected": "text"}
_ANSWER = "\n\nAssistant:"
_ASKED = "\n\nHuman:"


def _is_marked(value: object) -> bool:
    return isinstance(value, str) and value[:20].lstrip().startswith(("Human:", "Assistant:"))


def recognises(row: Row) -> bool:
    chosen, rejected, prompt = row.get("chosen"), row.get("rejected"), row.get("prompt")
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        return False
    asked = _is_marked(prompt) and isinstance(prompt, str) and prompt.rstrip().endswith("Assistant:")
    return (_is_marked(chosen) and _is_marked(rejected) and _ANSWER in chosen) or asked


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    chosen, rejected = text(row, "chosen", where), text(row, "rejected", where)
    if not _is_marked(chosen) and _is_marked(row.get("prompt")):
        asked = text(row, "prompt", where).rstrip()
        chosen, rejected = asked + " " + chosen.lstrip(), asked + " " + rejected.lstrip()
    if chosen == rejected:
        raise DataError(where, "chosen and rejected are identical")
    prompt, responses = _split(chosen, rejected, where)
    return (judged(row, where, prompt, responses),)


def _split(chosen: str, rejected: str, where: str) -> tuple[Conversation, tuple[Conversation, Conversation]]:
    """The common turns and the rest; when only the last answers differ, the prompt is read once."""
    cut = chosen.rfind(_ANSWER)
    end = cut + len(_ANSWER)
    if cut > 0 and rejected.startswith(chosen[:end]) and rejected.rfind(_ANSWER) == cut:
        if chosen.find(_ASKED, end) < 0 and rejected.find(_ASKED, end) < 0:
            prompt = transcript(chosen[:cut], "chosen", where)
            if prompt[-1].role == "user":
                return prompt, (_answer(chosen, end), _answer(rejected, end))
    first, second = _ended(chosen, "chosen", where), _ended(rejected, "rejected", where)
    n = shared_turns(first, second, where)
    return first[:n], (first[n:], second[n:])


def _answer(dialogue: str, start: int) -> Conversation:
    return (message("assistant", dialogue[start + 1 if dialogue[start : start + 1] == " " else start :]),)


def _ended(dialogue: str, key: str, where: str) -> Conversation:
    turns = transcript(dialogue, key, where)
    if turns[-1].role != "assistant":
        raise DataError(where, f"{key} does not end with an Assistant turn")
    if not turns[-1].text.strip():
        raise DataError(where, f"{key} is empty")
    return turns


def write(record: Record) -> Row:
    record, chosen, rejected = sides(record)
    row = {"chosen": _marked(record, chosen), "rejected": _marked(record, rejected), **beside(record)}
    (again,) = parse(row, where=record.source)
    if again.prompt != record.prompt or again.responses != (chosen, rejected):
        raise refuse(record, "a dialogue that the Human and Assistant marks cannot hold")
    return row


def _marked(record: Preference, answer: Conversation) -> str:
    names = {"user": _ASKED, "assistant": _ANSWER}
    said = only_text(record.prompt + answer, record)
    if any(role not in names for role, _ in said):
        raise refuse(record, "a turn that is neither user nor assistant")
    return "".join(f"{names[role]} {words}" for role, words in said)


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
