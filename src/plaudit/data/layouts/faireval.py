"""FairEval: `question`, `answer_chatgpt`, `answer_vicuna13b` and a `human` verdict (CHATGPT, VICUNA13B or TIE)."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, text
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("answer_chatgpt", "answer_vicuna13b")
_RANKS = {"CHATGPT": (0, 1), "VICUNA13B": (1, 0), "TIE": (0, 0)}
_SWAPPED = {"CHATGPT": "VICUNA13B", "VICUNA13B": "CHATGPT", "TIE": "TIE"}


def recognises(row: Row) -> bool:
    return "question" in row and "human" in row and all(name in row for name in _NAMES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    verdict = text(row, "human", where)
    if verdict not in _RANKS:
        raise DataError(where, f"human is {verdict[:20]!r}, not CHATGPT, VICUNA13B or TIE")
    prompt = (message("user", filled(row, "question", where)),)
    sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
    more = {"id": f"faireval/{row['question_id']}"} if "question_id" in row else {}
    return (judged(row, where, prompt, sides, _RANKS[verdict], names=_NAMES, **more),)


def swap(row: Row, record: Preference) -> Row:
    row["human"] = _SWAPPED[row["human"]]
    return row
