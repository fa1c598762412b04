"""A polite email that has to mention what was asked for."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import DAYS, NAMES, SURNAMES, Part, Task, listed

# to whom, about what: reason wordings and requests
CASES = (
    ("my landlord", "the broken heater", "the heater in our flat has been cold since {day}",
     "send somebody to repair it"),
    ("my daughter's teacher", "a day off school", "my daughter has a dentist's appointment on {day}",
     "excuse her for the morning"),
    ("my boss", "a day of leave", "I am moving house on {day}", "let me take that day off"),
    ("the hotel manager", "a late arrival", "our train only gets in at midnight on {day}", "keep our room until then"),
    ("a customer", "a late delivery", "your order will not leave our store before {day}",
     "tell us whether that is still in time"),
    ("my neighbour", "the noise of our party", "we are having guests on {day} evening",
     "ring our bell if it gets too loud"),
    ("the librarian", "a lost book", "I lost a book that was due on {day}", "tell me what it costs to replace"),
    ("my professor", "more time for an essay", "I was ill and cannot finish the essay by {day}",
     "give me three more days"),
    ("the owner of a restaurant", "a table for ten", "we would like to celebrate a birthday on {day}",
     "reserve a table for ten at seven"),
    ("the town clerk", "a broken street lamp", "the lamp in front of our house has been out since {day}",
     "have it repaired"),
    ("a colleague", "a meeting that must move", "I have to be at the doctor's on {day}",
     "move our meeting to another day"),
    ("the manager of my gym", "ending my membership", "I am leaving town on {day}",
     "confirm in writing that my membership ends then"),
    ("the shop manager", "a wrong parcel", "the parcel that came on {day} held somebody else's shoes",
     "send me the right pair"),
)  # fmt: skip
OFFERS = ("I can be reached by phone at any time.", "I am happy to come by in person.", "I will gladly pay any costs.",
          "I can send you a photo if that helps.", "I am at home every day after five.",
          "My number has not changed.")  # fmt: skip
WISHES = ("how to reach me by phone", "that I can come by in person", "that I will pay any costs",
          "that I can send a photo",
          "when I am at home", "that my number is the same")  # fmt: skip
EXTRAS = (
    "I hope that you are well.",
    "I hope your week has been a good one.",
    "I know that you have a lot to do.",
    "I thought it best to write to you directly.",
    "The weather has been quite something lately.",
    "I am writing this on my way home.",
    "I have always been glad to deal with you.",
)


def make(draw: Draw) -> Task:
    to, about, reason, request = row = draw.pick(CASES)
    other = draw.pick([c for c in CASES if c is not row])
    day, off = draw.some(DAYS[:5], 2)
    last, me = draw.pick(SURNAMES), draw.pick(NAMES)
    who = f"{draw.pick(('Mr', 'Ms'))} {last}"
    i, j = draw.some(range(len(OFFERS)), 2)
    why, bad_why = reason.format(day=day), reason.format(day=off)
    every = (
        (f"the reason ({why.replace('your order', 'the order').replace('our store', 'our store')})", Part(
            (f"I am writing because {why}.", f"I wanted to let you know that {why}."),
            (f"I am writing because {bad_why}.", f"I wanted to let you know that {other[2].format(day=day)}."))),
        ("what I would like them to do", Part(
            (f"Could you please {request}?", f"I would be grateful if you could {request}."),
            (f"Could you please {other[3]}?", f"I would be grateful if you could {other[3]}."))),
        (WISHES[i], Part((OFFERS[i],), (OFFERS[j],))),
    )  # fmt: skip
    asked = [*every[:2], *(every[2:] if draw.chance(0.5) else ())]
    wish = listed([q for q, _ in asked[:1]] + [f"my request to {request}"] + [q for q, _ in asked[2:]])
    kind = draw.pick(("short", "polite", "brief and polite", "friendly"))
    prompt = draw.pick((
        f"Write a {kind} email to {to}, {who}, about {about}. It should state {wish}. Sign it {me}.",
        f"I need a {kind} message to {who}, {to}, about {about}. Mention {wish}. My name is {me}.",
    ))  # fmt: skip
    letter = {
        "plain": (f"Hello {who},", f"Best wishes,\n{me}"),
        "warm": (f"Dear {who},", f"Many thanks and warm regards,\n{me}"),
        "formal": (f"Dear {who},", f"Yours sincerely,\n{me}"),
        "casual": (f"Hi {who},", f"Cheers,\n{me}"),
        "brusque": (f"{last}:", f"I expect an answer today.\n{me}"),
    }
    return Task(prompt, about, tuple(p for _, p in asked), EXTRAS, (), letter)
