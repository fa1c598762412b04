"""A short note about a change of plan, to be summarised."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import DAYS, NAMES, Part, Task, listed

EVENTS = ("garden party", "staff training", "choir concert", "bake sale", "first-aid course", "blood drive",
          "book fair",
          "football practice", "house viewing", "parents' meeting", "clean-up day", "quiz night", "yoga class",
          "fire drill")  # fmt: skip
PLACES = ("the library", "the town hall", "the old gym", "room 12", "the church hall", "the canteen",
          "the park pavilion",
          "the community centre", "the music room", "the courtyard")  # fmt: skip
REASONS = ("the heating has failed", "the speaker is ill", "heavy rain is expected", "the hall is being painted",
           "too few people had signed up", "the road is closed", "the caterer cancelled", "of a public holiday",
           "a water pipe burst", "the key holder is away")  # fmt: skip
TODO = ("bring a chair", "sign the list at the desk", "send back the form", "wear old clothes",
        "bring something to drink",
        "pay the fee in cash", "let Mina know how many will come", "return the keys", "come ten minutes early",
        "park behind the school", "bring a torch", "fill in the survey")  # fmt: skip
FOR = ("my husband", "the group chat", "our notice board", "a colleague who missed it", "my mother", "the newsletter",
       "our new neighbour", "the team", "the minutes", "my flatmate")  # fmt: skip
EXTRAS = (
    "That is the gist of what was written.",
    "The note itself is quite short.",
    "It was meant for everybody who takes part.",
    "Nothing else in it seems urgent.",
    "Such changes happen now and then.",
    "The tone of the note is friendly.",
    "It does not say much beyond that.",
)


def make(draw: Draw) -> Task:
    who, event, reason, todo = draw.pick(NAMES), draw.pick(EVENTS), draw.pick(REASONS), draw.pick(TODO)
    old, new, off = draw.some(DAYS, 3)
    place, other = draw.some(PLACES, 2)
    bad_reason = draw.pick([r for r in REASONS if r != reason])
    bad_todo = draw.pick([t for t in TODO if t != todo])
    because = f"because {reason}"
    note = draw.pick((
        f"Hi all, the {event} planned for {old} moves to {new} {because}. We meet at {place}. Please {todo}. {who}",
        f"Dear all, {because}, the {event} will not be on {old} but on {new}, at {place}. Please {todo}. Thanks, {who}",
        f"To everyone: please {todo} for the {event}. It is now on {new}, not on {old}, {because}, and we meet at "
        f"{place}. {who}",
    ))  # fmt: skip
    every = (
        ("when and where it takes place", Part(
            (f"The {event} is now on {new} at {place}.", f"It takes place at {place} on {new}."),
            (f"The {event} is now on {old} at {place}.", f"It takes place at {other} on {new}.",
             f"The {event} is now on {off} at {place}."))),
        ("why it was moved", Part(
            (f"It was moved {because}.", f"The date changed {because}."),
            (f"It was moved because {bad_reason}.", f"The date changed because {bad_reason}."))),
        ("what people are asked to do", Part(
            (f"Everybody is asked to {todo}.", f"{who} asks people to {todo}."),
            (f"Everybody is asked to {bad_todo}.", f"{who} asks people to {bad_todo}."))),
    )  # fmt: skip
    asked = draw.subset(every, draw.pick((2, 2, 3)))
    wish = listed([q for q, _ in asked])
    goal = draw.pick(FOR)
    prompt = draw.pick((
        f"Sum up this note for {goal}. Say {wish}.\n\n\"{note}\"",
        f"\"{note}\"\n\nWhat does this note say? I need {wish}, for {goal}.",
        f"Please shorten this note for {goal}: \"{note}\" It matters to me {wish}.",
    ))  # fmt: skip
    return Task(prompt, note, tuple(p for _, p in asked), EXTRAS)
