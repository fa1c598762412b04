"""Responses that nobody judged: `prompt` (text or messages) and a list of `responses`, `completions` or `outputs`.

How samples of a policy are usually kept: each response is text or messages. Nobody judged, so `ranks` are None: `score`
scores them and `train --meta` reads them, but there is nothing in them to train on or to audit. A row that carries a
judgement beside its responses is not recognised, lest it be dropped in silence; `--layout responses` leaves it unread.
"""

from collections.abc import Iterable
from typing import Any

from plaudit.data.layouts._fields import Row, is_turns, items, side, spoken
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference

_LISTS = ("responses", "completions", "outputs")
_JUDGED = (
    "ranks", "rank", "ranking", "rankings", "labels", "label", "scores", "score", "rewards", "reward", "chosen",
    "rejected", "preference", "winner",
)  # fmt: skip


def recognises(row: Row) -> bool:
    prompt = row.get("prompt")
    if not (isinstance(prompt, str) or is_turns(prompt)) or any(row.get(name) is not None for name in _JUDGED):
        return False
    found: Any = row.get(_name(row))
    return isinstance(found, list) and bool(found) and (isinstance(found[0], str) or is_turns(found[0]))


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = spoken(row.get("prompt"), "prompt", where, "user")
    key = _name(row)
    said = {f"{key.removesuffix('s')} {i}": value for i, value in enumerate(items(row, key, where), 1)}
    if not said:
        raise DataError(where, "no response")
    responses = tuple(side(said, name, where) for name in said)
    return (judged(row, where, prompt, responses, None, names=tuple(said)),)


def _name(row: Row) -> str:
    """Which column holds the responses: the first that is there."""
    return next((name for name in _LISTS if row.get(name) is not None), _LISTS[0])
