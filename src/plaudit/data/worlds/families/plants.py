"""A house plant looks unwell: why, what to do, and how to keep it from coming back."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Part, Task, a, listed, others, up

PLANTS = ("monstera", "rubber tree", "peace lily", "basil plant", "orchid", "spider plant", "fern", "aloe",
          "lemon tree",
          "ivy", "jade plant", "begonia", "pothos", "fiddle-leaf fig", "African violet")  # fmt: skip
# symptom, cause, remedy, prevention
SIGNS = (
    ("has yellow leaves and soggy soil", "too much water",
     "let the soil dry out and pour away what stands in the saucer",
     "water only when the top two centimetres feel dry"),
    ("has brown, crisp leaf tips", "air that is too dry", "stand it on a tray of wet pebbles away from the heater",
     "mist around it in winter or group it with other plants"),
    ("grows long, thin stems towards the window", "too little light",
     "move it to a brighter spot and trim the long stems",
     "turn the pot a quarter every week"),
    ("has bleached patches on its leaves", "direct midday sun",
     "pull it back from the glass and cut off the worst leaves",
     "hang a thin curtain in summer"),
    ("is covered in fine webs", "spider mites", "rinse the leaves in the shower and wipe them with soapy water",
     "look at the undersides of the leaves once a week"),
    ("has white, cottony spots in the leaf joints", "mealybugs", "dab every spot with a cotton bud dipped in alcohol",
     "keep new plants apart for two weeks"),
    ("dries out a day after watering, and roots show at the holes", "a pot that has become too small",
     "repot it in a pot one size larger with fresh soil", "check the roots every spring"),
    ("drops leaves since it was moved", "the shock of a new place",
     "leave it where it is and water a little less for a while",
     "change its place in small steps"),
    ("has tiny flies around the soil", "fungus gnats", "let the surface dry and put a yellow sticky card in the pot",
     "cover the soil with a layer of sand"),
    ("has pale leaves with green veins", "a lack of iron or hard water", "give it an iron feed and use rainwater",
     "feed it every second week in the growing season"),
    ("has a soft, dark stem at the base", "rot from standing in water",
     "cut off a healthy top and root it in fresh soil",
     "use a pot with a drainage hole"),
)  # fmt: skip
PLACE = ("on the kitchen window sill", "in the hall", "in a north-facing room", "at work", "in the bathroom",
         "next to the balcony door", "in the bedroom", "by the stairs")  # fmt: skip
GIVEN = ("a gift from my aunt", "three years old", "the only plant I own", "from a supermarket", "older than my son",
         "something I inherited with the flat", "one of a pair", "a present from a colleague", "my pride")  # fmt: skip
EXTRAS = (
    "Plants are patient, and they do not mind an experiment now and then.",
    "It is nice to see that somebody cares about their greenery.",
    "Every home is a little different, and so is every plant.",
    "You can always take a photo to follow how things go.",
    "Gardeners love to argue about these things.",
    "A good look at it each morning takes only a minute.",
    "Give it some time before you judge the result.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(SIGNS)
    sign, cause, remedy, prevent = row
    one, two = others(draw, SIGNS, row)
    every = (
        ("what is wrong with it", Part(
            (f"That points to {cause}.", f"It is most likely suffering from {cause}.", f"My guess is {cause}."),
            (f"That points to {one[1]}.", f"It is most likely suffering from {two[1]}.", f"My guess is {one[1]}."))),
        ("what should I do now", Part(
            (f"For now, {remedy}.", f"{up(remedy)}."), (f"For now, {one[2]}.", f"{up(two[2])}."))),
        ("how do I keep it from happening again", Part(
            (f"In future, {prevent}.", f"So that it does not come back, {prevent}."),
            (f"In future, {one[3]}.", f"So that it does not come back, {two[3]}."))),
    )  # fmt: skip
    asked = draw.subset(every, draw.pick((2, 2, 3)))
    question = up(listed([q for q, _ in asked])) + "?"
    plant = draw.pick(PLANTS)
    start = draw.pick((
        f"My {plant} {draw.pick(PLACE)} {sign}. It is {draw.pick(GIVEN)}.",
        f"I keep {a(plant)} {draw.pick(PLACE)}, and now it {sign}. It is {draw.pick(GIVEN)}.",
        f"It is {draw.pick(GIVEN)}: the {plant} {draw.pick(PLACE)}. Now it {sign}.",
    ))  # fmt: skip
    return Task(f"{start} {question}", sign, tuple(p for _, p in asked), EXTRAS)
