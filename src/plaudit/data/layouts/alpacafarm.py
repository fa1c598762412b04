"""AlpacaFarm with a gold reward: `messages`, `response_1`, `response_2`, `gold_1`, `gold_2`, and proxies' rewards.

The gold reward judges (its difference is the strength); the proxies are ratings beside it.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, number, text, turns
from plaudit.data.layouts._pairs import exchange, in_order, judged
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("response_1", "response_2")


def recognises(row: Row) -> bool:
    return "messages" in row and "gold_1" in row and "gold_2" in row and all(name in row for name in _NAMES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    said = turns(row.get("messages"), "messages", where)
    prompt = tuple(turn for turn in said if turn.role != "system" or turn.text.strip())
    sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
    scorers = [key[:-2] for key in row if key.endswith("_1") and key != "response_1" and f"{key[:-2]}_2" in row]
    ratings = tuple({name: number(row, f"{name}_{i}", where) for name in scorers} for i in (1, 2))
    first, second = (number(row, f"gold_{i}", where) for i in (1, 2))
    more = {"ratings": ratings, "strength": abs(first - second), "annotator": "gold"}
    return (judged(row, where, prompt, sides, in_order(first, second), names=_NAMES, **more),)


def swap(row: Row, record: Preference) -> Row:
    """The gold rewards trade places: they are the label; the proxies stay with their texts."""
    return exchange(row, ("gold_1", "gold_2"))
