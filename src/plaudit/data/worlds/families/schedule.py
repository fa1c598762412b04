"""Reasoning with days and clock times."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import DAYS, NAMES, Part, Task, count

EVENTS = ("workshop", "rehearsal", "guided tour", "film club", "board meeting", "swimming lesson", "exam",
          "choir practice", "parents' evening", "cookery class", "match", "reading")  # fmt: skip
JOBS = ("the delivery", "the inspection", "the repair", "my appointment", "the interview", "the surveyor's visit",
        "the installation", "my test results", "the new windows", "the removal van")  # fmt: skip
EXTRAS = (
    "A note on the fridge keeps such things from being forgotten.",
    "I find it easiest to count on my fingers.",
    "Most phones can set a reminder for this.",
    "It is worth telling everybody who is coming along.",
    "Plans have a way of changing at the last minute.",
    "A small calendar by the door is useful for this.",
    "Better to be a little early than late.",
)


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24}:{minutes % 60:02d}"


def _ends(draw: Draw) -> tuple[str, str, tuple[Part, ...]]:
    event, who = draw.pick(EVENTS), draw.pick(NAMES)
    start, length, ride = draw.between(32, 72) * 15, draw.between(8, 27) * 5, draw.between(3, 11) * 5
    end = start + length
    home = end + ride
    text = f"{who}'s {event} begins at {_clock(start)} and lasts {length} minutes. The way home takes {ride} minutes."
    slip = draw.pick((-15, -10, 10, 15, 30))
    parts = (
        Part((f"The {event} ends at {_clock(end)}.", f"It is over at {_clock(end)}."),
             (f"The {event} ends at {_clock(end + slip)}.", f"It is over at {_clock(end + slip)}.")),
        Part((f"{who} is home at {_clock(home)}.", f"That means being home at {_clock(home)}."),
             (f"{who} is home at {_clock(home + slip)}.", f"That means being home at {_clock(home - slip)}.")),
    )  # fmt: skip
    return text, f"When does the {event} end, and when will {who} be home?", parts


def _days(draw: Draw) -> tuple[str, str, tuple[Part, ...]]:
    job, today, wait = draw.pick(JOBS), draw.below(7), draw.between(2, 12)
    order, late = draw.pick(("called", "wrote", "asked")), draw.between(1, 3)
    due = today + wait
    text = (f"I {order} on {DAYS[today]} about {job} and was told to wait {count(wait, 'day')}. It may take "
            f"{count(late, 'day')} longer than that.")  # fmt: skip
    slip = draw.between(1, 4)
    parts = (
        Part((f"The wait is over on {DAYS[due % 7]}.", f"Counting from {DAYS[today]}, it falls on {DAYS[due % 7]}."),
             (f"The wait is over on {DAYS[(due + slip) % 7]}.",
              f"Counting from {DAYS[today]}, it falls on {DAYS[(due - slip) % 7]}.")),
        Part((f"At the latest it will be {DAYS[(due + late) % 7]}.", f"With the delay it is {DAYS[(due + late) % 7]}."),
             (f"At the latest it will be {DAYS[(due + late + slip) % 7]}.",
              f"With the delay it is {DAYS[(due + late - slip) % 7]}.")),
    )  # fmt: skip
    return text, "On which day of the week should it be, and which day is the latest?", parts


def make(draw: Draw) -> Task:
    text, question, parts = draw.pick((_ends, _days))(draw)
    return Task(f"{text} {question}", text, parts, EXTRAS, ("prose", "bullets", "brief"), slips=0.2)
