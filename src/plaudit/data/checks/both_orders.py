"""The same two responses shown in both orders: does the response win, or the place where it stood?

A contradiction says that one judge ordered the same two responses both ways, whatever the reason. Here only judgements
with the sides swapped count, and what is asked is whether the winner stayed on its side: a judge who reads wins with
the response, one who always picks the first wins with the place, and then contradicts nothing in one order.
"""

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks import _judgements as judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.metrics.intervals import wilson


def check(outline: Outline, *, tolerated: float = 0.2) -> Finding:
    """`tolerated`: share of pairs given in both orders that may follow the place before it is worth a warning.

    Files that name the better response first do not show an order and take no part.
    """
    table = judgements.of_outline(outline)
    table = table.only(judgements.shows_order(outline, table))
    if not len(table):
        return Finding("both_orders", "skip", "the files name the better response first: no order is shown")
    found = {(shown, won): _count(table, shown, won) for shown in (True, False) for won in (1, 0, -1)}
    given = [found[shown, 1] + found[shown, 0] + found[shown, -1] > 0 for shown in (True, False)]
    swapped = given[0] & given[1]
    if not swapped.any():
        return Finding("both_orders", "skip", "no pair of responses is given in both orders")
    ahead = {shown: np.sign(found[shown, 1] - found[shown, 0]) for shown in (True, False)}  # of the low one
    product = ahead[True] * ahead[False]
    same, place, open_ = (int((swapped & (product == sign)).sum()) for sign in (1, -1, 0))
    first = int((swapped & (product < 0) & (ahead[True] > 0)).sum())
    low, high = wilson(place, same + place) if same + place else (0.0, 1.0)
    value = {
        "pairs": int(swapped.sum()), "follow_response": same, "follow_place": place, "undecided": open_,
        "first_place": first, "second_place": place - first,
        "share": judgements.share(place, same + place), "low": low, "high": high,
    }  # fmt: skip
    text = (
        f"of {swapped.sum():,} pairs given in both orders {place:,} are won by the place and {same:,} by the response"
    )
    ids, count = judgements.ids(outline, table.preference[(swapped & (product < 0))[table.item]])
    if low > tolerated or (value["share"] > tolerated and place >= 5):
        advice = "a place is no preference: keep such pairs as ties, or leave them out before training"
        return Finding("both_orders", "warn", text, value, ids, count, advice)
    return Finding("both_orders", "note" if place else "ok", text, value, ids, count)


def _count(table: judgements.Judgements, low_first: bool, won: int) -> NDArray[np.int64]:
    """Judgements of every item shown in this order with this outcome, [I]."""
    return np.bincount(table.item[(table.low_first == low_first) & (table.low_won == won)], minlength=table.items)
