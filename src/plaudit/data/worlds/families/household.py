"""What is wrong with a thing at home, how to mend it, and what to check afterwards."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Part, Task, listed, others, up

# what happens, its cause, the fix, the check afterwards
FAULTS = (
    ("the kitchen tap drips all night", "a worn washer inside the tap",
     "close the valve under the sink, unscrew the handle and put in a new washer",
     "open the valve slowly and wipe the spout dry to see whether a drop forms"),
    ("the bathroom drain empties very slowly", "hair and soap stuck just below the plug",
     "lift out the plug, pull the hair up with a bent wire and flush with hot water",
     "fill the basin once and time how long it takes to empty"),
    ("the bedroom door squeaks", "dry hinges",
     "tap out the hinge pins one at a time, rub them with a little oil and slide them back",
     "wipe off the excess oil so that it does not stain the frame"),
    ("one radiator is warm at the bottom and cold at the top", "air trapped in the radiator",
     "turn the heating off, open the bleed valve with a radiator key until water comes, then close it",
     "look at the boiler pressure, because bleeding lowers it"),
    ("the toilet keeps running after a flush", "a flapper that no longer seals",
     "shut off the water, empty the tank and hook in a new flapper of the same size",
     "flush twice and listen until the tank falls silent"),
    ("the fridge leaves a puddle on the floor", "a blocked defrost drain at the back",
     "clear the small drain hole with a pipe cleaner and rinse it with warm water",
     "empty the tray underneath and see whether it fills evenly over the next days"),
    ("the washing machine wanders about during the spin", "feet that are not level",
     "lay a spirit level on top, turn the feet until all four stand firmly and tighten the lock nuts",
     "run one spin with a normal load and watch whether it stays in place"),
    ("the vacuum cleaner hardly picks anything up", "a full bag or a clogged filter",
     "change the bag, wash the filter and let it dry for a day before you put it back",
     "hold your palm to the hose to feel whether the suction is back"),
    ("the smoke alarm chirps every minute", "a battery that is almost empty",
     "twist the alarm off its base and put in a fresh battery",
     "press the test button and write the date on the battery"),
    ("a row of sockets has gone dead", "a tripped breaker",
     "unplug everything on that row and push the breaker fully off, then on again",
     "plug the devices back in one at a time, and call an electrician if it trips again"),
    ("the wardrobe door jumps off its rail", "dirt in the lower track",
     "lift the door out, vacuum and wipe the track, and set the rollers back in",
     "slide the door from end to end a few times with one finger"),
    ("the shower only gives a thin spray", "limescale in the nozzles",
     "unscrew the shower head, soak it in warm vinegar for an hour and brush the nozzles",
     "run the water for a minute so that the loosened scale is flushed out"),
    ("the freezer door no longer stays shut", "a stiff, dirty seal",
     "wash the seal with soapy water and warm it with a hair dryer until it is soft again",
     "close the door on a sheet of paper and make sure that it cannot be pulled out easily"),
    ("the lawn mower starts and dies again", "old fuel and a dirty air filter",
     "drain the tank, fill it with fresh fuel and put in a clean air filter",
     "let it idle for five minutes before you mow"),
)  # fmt: skip
BEGAN = ("It began last week.", "It started over the weekend.", "It has been like this for days.",
         "It began yesterday.",
         "It was like this when we moved in.", "It started about a month ago.", "I noticed it this morning.",
         "It has been getting worse.", "It began right after the holidays.", "It comes and goes.")  # fmt: skip
WHERE = ("In our flat", "In the house we rent", "At my parents' place", "In my new apartment", "At the office",
         "In our holiday cottage", "At my grandmother's", "In our shared house", "In the rooms we let",
         "At my sister's")  # fmt: skip
TAIL = ("", "", "I own a screwdriver and not much else.", "I would rather not call anybody out for this.",
        "I have never repaired anything before.", "There is no rush, but it gets on my nerves.",
        "My landlord is away until next month.", "I have a free morning tomorrow.")  # fmt: skip
EXTRAS = (
    "Small repairs like this are part of living anywhere for long.",
    "Most hardware stores have somebody who is glad to talk such things over.",
    "I would put on some old clothes before I begin.",
    "A second pair of hands never hurts with jobs of this kind.",
    "Things like this always seem to happen at a bad moment.",
    "Keep the receipts if you buy anything.",
    "It helps to clear some room to work in first.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(FAULTS)
    what, cause, fix, check = row
    wrong = others(draw, FAULTS, row)
    every = (
        ("what is the likely cause", Part(
            (f"The likely cause is {cause}.", f"This is most often down to {cause}.", f"I would suspect {cause}."),
            tuple(f"The likely cause is {w[1]}." for w in wrong) + (f"I would suspect {wrong[0][1]}.",))),
        ("how do I fix it", Part(
            (f"{up(fix)}.", f"To fix it, {fix}."),
            (f"{up(wrong[0][2])}.", f"To fix it, {wrong[1][2]}."))),
        ("what should I check afterwards", Part(
            (f"Afterwards, {check}.", f"When you are done, {check}."),
            (f"Afterwards, {wrong[0][3]}.", f"When you are done, {wrong[1][3]}."))),
    )  # fmt: skip
    asked = draw.subset(every, draw.pick((2, 2, 3)))
    question = up(listed([q for q, _ in asked])) + "?"
    tail = draw.pick(TAIL)
    prompt = f"{draw.pick(WHERE)}, {what}. {draw.pick(BEGAN)} {tail + ' ' if tail else ''}{question}"
    return Task(prompt, what, tuple(p for _, p in asked), EXTRAS)
