"""Small word problems, answered with their working."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import NAMES, Part, Task, count, up

GOODS = (("box", "boxes", "pencil"), ("crate", "crates", "apple"), ("tray", "trays", "seedling"),
         ("pack", "packs", "card"),
         ("shelf", "shelves", "book"), ("bag", "bags", "marble"), ("carton", "cartons", "egg"),
         ("sheet", "sheets", "sticker"),
         ("roll", "rolls", "coin"), ("basket", "baskets", "roll"))  # fmt: skip
GIVE = ("gives away", "sells", "loses", "sets aside", "drops and breaks", "lends out")
SHARED = ("tickets", "a taxi", "a present", "a boat", "dinner", "a court", "a tent")
EXTRAS = (
    "Problems like this come up more often than one would think.",
    "It is easiest to take it one step at a time.",
    "You can check it on paper if you like.",
    "A calculator is not needed for this one.",
    "Many people find such sums easier with a small drawing.",
    "The order of the steps matters here.",
    "I did it in my head first and then again in writing.",
)


def _off(draw: Draw, n: int) -> int:
    """A wrong number near the right one."""
    return max(n + draw.pick((-10, -4, -3, -2, 2, 3, 4, 10)), 1) if n > 12 else n + draw.pick((1, 2, 3))


def _goods(draw: Draw) -> tuple[str, str, list[tuple[str, str]]]:
    box, boxes, thing = draw.pick(GOODS)
    k, each = draw.between(3, 9), draw.between(6, 24)
    total = k * each
    gone = draw.between(2, total // 2)
    who, verb = draw.pick(NAMES), draw.pick(GIVE)
    bad, left = _off(draw, total), total - gone
    text = f"{who} has {count(k, box, boxes)} with {each} {thing}s in each, and {verb} {gone} of them."
    steps = [
        (f"{up(count(k, box, boxes))} of {each} make {total} {thing}s.",
         f"{up(count(k, box, boxes))} of {each} make {bad} {thing}s."),
        (f"After that, {left} {thing}s are left.", f"After that, {_off(draw, left)} {thing}s are left."),
    ]  # fmt: skip
    return text, f"How many {thing}s are there at first, and how many are left?", steps


def _shared(draw: Draw) -> tuple[str, str, list[tuple[str, str]]]:
    people, each, what = draw.between(3, 9), draw.between(6, 30), draw.pick(SHARED)
    total = people * each
    tip = draw.pick((2, 4, 5, 8, 10)) * people
    who = draw.pick(NAMES)
    text = (
        f"{who} and {count(people - 1, 'friend')} share the cost of {what}, {total} euros, and pay {tip} euros on top."
    )
    both = total + tip
    steps = [
        (f"Altogether they pay {both} euros.", f"Altogether they pay {_off(draw, both)} euros."),
        (f"Split {people} ways, that is {both // people} euros each.",
         f"Split {people} ways, that is {_off(draw, both // people)} euros each."),
    ]  # fmt: skip
    return text, "What do they pay altogether, and how much does each of them pay?", steps


def _travel(draw: Draw) -> tuple[str, str, list[tuple[str, str]]]:
    speed, hours, rest = draw.between(4, 9) * 10, draw.between(2, 6), draw.between(1, 5) * 10
    way = speed * hours
    how = draw.pick(("drives", "travels by bus", "goes by train"))
    text = (
        f"{draw.pick(NAMES)} {how} for {count(hours, 'hour')} at {speed} km an hour. The whole way is {way + rest} km."
    )
    steps = [
        (f"In {count(hours, 'hour')} that makes {way} km.",
         f"In {count(hours, 'hour')} that makes {_off(draw, way)} km."),
        (f"The rest of the way is {rest} km.", f"The rest of the way is {_off(draw, rest)} km."),
    ]  # fmt: skip
    return text, "How many kilometres is that, and how many are left?", steps


def _saving(draw: Draw) -> tuple[str, str, list[tuple[str, str]]]:
    week, weeks = draw.between(5, 25), draw.between(4, 12)
    saved = week * weeks
    price = saved + draw.between(3, 60)
    thing = draw.pick(("bicycle", "guitar", "camera", "coat", "tent", "keyboard", "lamp", "skateboard"))
    text = (
        f"{draw.pick(NAMES)} saves {week} euros a week for {count(weeks, 'week')} to buy a {thing} for {price} euros."
    )
    steps = [
        (f"The savings come to {saved} euros.", f"The savings come to {_off(draw, saved)} euros."),
        (f"So {price - saved} euros are still missing.", f"So {_off(draw, price - saved)} euros are still missing."),
    ]
    return text, "How much is saved by then, and how much is still missing?", steps


def make(draw: Draw) -> Task:
    text, question, steps = draw.pick((_goods, _shared, _travel, _saving))(draw)
    parts = tuple(Part((right,), (wrong,)) for right, wrong in steps)
    return Task(f"{text} {question}", text, parts, EXTRAS, ("prose", "numbered", "brief"), slips=0.2)
