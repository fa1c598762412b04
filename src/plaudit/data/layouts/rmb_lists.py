"""RMB best-of-n lists: `conversation_input`, `bon_best`, `loser_list`; the best beats all, losers are not ranked."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, items, kind, mapping, text
from plaudit.data.layouts._pairs import judged
from plaudit.data.layouts.rmb_pairs import asked, names_of
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "conversation_input" in row and "bon_best" in row and "loser_list" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = asked(row, where)
    best, losers = mapping(row, "bon_best", where), items(row, "loser_list", where)
    for i, loser in enumerate(losers, 1):
        if type(loser) is not dict:
            raise DataError(where, f"loser {i} is {kind(loser)}, not an object")
    if not losers:
        raise DataError(where, "loser_list is empty")
    sides = tuple((message("assistant", text(each, "answer", where)),) for each in (best, *losers))
    if sides[0] in sides[1:]:
        raise DataError(where, f"bon_best and loser {sides.index(sides[0], 1)} are identical")
    names = ["bon_best", *(f"loser {i}" for i in range(1, len(sides)))]
    ranks = (0, *([1] * len(losers)))
    more = {"id": str(row.get("bon_uid") or ""), "tags": names_of(row, ("chosen_model", best))}
    return (judged(row, where, prompt, sides, ranks, names=names, **more),)
