"""Plain-text implicit pairs: `chosen` and `rejected` as rendered text that share their beginning, the prompt.

The prompt ends where the last whole word that both share ends, as in TRL's `extract_prompt`. Text stays raw. A row with
another column of text that may be the prompt, and that does not stand in both sides, is none of these: name that column
with `--columns prompt=NAME`, or say `--layout text_implicit` when it is something else.
"""

from collections.abc import Iterable
from typing import Any

from plaudit.data.layouts._fields import Row, filled
from plaudit.data.layouts._pairs import KNOWN, exchange, judged
from plaudit.errors import DataError
from plaudit.records import RAW, Preference, message

SPECIFICITY = -10
_MAYBE = frozenset({
    "body", "context", "input", "instruction", "post", "problem", "prompt", "q", "query", "question", "text", "title",
    "user",
})  # fmt: skip
_WORDS = 4  # a text of so many words may be a prompt whatever its name


def recognises(row: Row) -> bool:
    return (
        isinstance(row.get("chosen"), str)
        and "rejected" in row
        and not row.get("messages")
        and not any(_may_be_prompt(key, value, row) for key, value in row.items())
    )


def _may_be_prompt(key: str, value: Any, row: Row) -> bool:
    """A column that no layout reads beside a pair, with a prompt's usual name or several words that do not stand in
    both sides already.
    """
    if not value or key in KNOWN or key in ("chosen", "rejected"):
        return False
    if not isinstance(value, str):
        return key in _MAYBE
    worded = key in _MAYBE or len(value.split()) >= _WORDS
    return worded and not all(value in str(row.get(side)) for side in ("chosen", "rejected"))


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    chosen, rejected = filled(row, "chosen", where), filled(row, "rejected", where)
    if chosen == rejected:
        raise DataError(where, "chosen and rejected are identical")
    cut = _shared(chosen, rejected)
    cut = min(cut, len(chosen) - 1, len(rejected) - 1)
    while cut and not (chosen[cut:].strip() and rejected[cut:].strip() and _between_words(chosen, rejected, cut)):
        cut -= 1
    if not chosen[:cut].strip():
        raise DataError(where, "chosen and rejected answer different prompts: they share no beginning")
    sides = ((message(RAW, chosen[cut:]),), (message(RAW, rejected[cut:]),))
    return (judged(row, where, (message(RAW, chosen[:cut]),), sides),)


def _shared(a: str, b: str) -> int:
    """Length of the common beginning, by bisection: slices compare at the speed of memory."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if b.startswith(a[low:middle], low) else (low, middle - 1)
    return low


def _between_words(chosen: str, rejected: str, cut: int) -> bool:
    return chosen[cut].isspace() or rejected[cut].isspace() or chosen[cut - 1] == "\n"


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
