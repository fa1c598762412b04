"""HelpSteer2 preferences: `preference_strength` beside `response_1`, `response_2` (-3..3, positive: the second wins).

Also the form with whole conversations as `chosen` and `rejected` and an absolute strength; 0 is a tie in both.
"""

from collections.abc import Iterable

from plaudit.data.layouts._dialogue import extra_ids
from plaudit.data.layouts._fields import Row, filled, is_turns, mirrored, number, side, text
from plaudit.data.layouts._pairs import exchange, in_order, judged, shared_turns
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("response_1", "response_2")


def recognises(row: Row) -> bool:
    pair = isinstance(row.get("response_1"), str) and "response_2" in row and "prompt" in row
    return "preference_strength" in row and (pair or (is_turns(row.get("chosen")) and "rejected" in row))


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    strength = number(row, "preference_strength", where)
    if "chosen" not in row:
        prompt = extra_ids(filled(row, "prompt", where))
        sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
        ranks = in_order(0, strength)
        return (judged(row, where, prompt, sides, ranks, names=_NAMES, strength=abs(strength)),)
    chosen, rejected = side(row, "chosen", where), side(row, "rejected", where)
    cut = shared_turns(chosen, rejected, where)
    rewards = ("chosen_reward", "rejected_reward")
    more: dict = {}
    if all(row.get(name) is not None for name in rewards):
        more["ratings"] = tuple({"reward": number(row, name, where)} for name in rewards)
    # The sides are ordered by the reward model's names, not by the sign: the strength is absolute.
    ranks = (0, 0) if strength == 0 else (0, 1)
    return (judged(row, where, chosen[:cut], (chosen[cut:], rejected[cut:]), ranks, strength=strength, **more),)


def swap(row: Row, record: Preference) -> Row:
    if "chosen" in row:
        row = exchange(row, ("chosen", "rejected"), ("chosen_reward", "rejected_reward"))
    row["preference_strength"] = mirrored(row["preference_strength"])  # there the sides, here the label's certainty
    return row
