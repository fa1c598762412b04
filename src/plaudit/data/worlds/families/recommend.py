"""A board game or a hobby to suit a set of constraints."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import NAMES, Part, Task, count, listed, others, up

# thing, kind of person or evening that it suits, why, how to begin
THINGS = (
    ("Patchwork", "a board game for exactly two", "it is made for two and is over in half an hour",
     "lay the pieces out in a circle and let the youngest start"),
    ("Codenames", "a party game for eight or more", "it is played in two teams of any size",
     "split into teams and let one person on each side give clues"),
    ("Pandemic", "a game in which all play together and not against each other", "everybody wins or loses as one team",
     "start with four epidemic cards so that the first game is kind"),
    ("chess", "a game without any luck", "nothing in it is left to dice or cards",
     "play with only the pawns and the kings at first"),
    ("swimming", "a sport that is gentle on bad knees", "the water carries your weight",
     "go twice a week and swim slowly for twenty minutes"),
    ("bouldering", "an indoor sport for rainy winters", "the halls are dry and open all year",
     "rent shoes and stay on the easiest colour for the first visits"),
    ("knitting", "a quiet hobby for the evening", "it makes no noise and needs only a chair",
     "begin with thick needles and a plain scarf"),
    ("birdwatching", "a hobby outdoors that costs next to nothing", "a park and a pair of old binoculars will do",
     "learn the ten commonest birds of your area first"),
    ("the ukulele", "an instrument for a small budget and little time", "it is cheap and three chords carry many songs",
     "learn C, F and G and play along with a song that you know"),
    ("choir singing", "something musical in company", "you meet the same people every week and make music with them",
     "ask a local choir whether you may sit in on a rehearsal"),
    ("baking bread", "something to do with my hands at home", "you work with your hands and can eat the result",
     "start with a plain loaf of flour, water, salt and yeast"),
    ("geocaching", "something that gets children to walk", "hunting for hidden boxes makes them forget the distance",
     "load a free app and pick a short, easy trail"),
    ("dominoes", "a game for small children and grandparents together", "the rules take a minute to learn",
     "deal seven tiles each and let the highest double begin"),
    ("table tennis", "a sport for a small garden", "one folding table is all the room it takes",
     "practise slow rallies before you count any points"),
)  # fmt: skip
WHO = ("my wife", "our evenings", "my cousin {}", "{} and me", "my friend {}", "a birthday", "our club",
       "my colleague {}",
       "the winter", "my grandson {}")  # fmt: skip
BUDGET = ("up to {} euros", "no more than {} euros", "at most {} euros")
EXTRAS = (
    "Tastes differ, and it is fine to change your mind.",
    "The main thing is that it is fun.",
    "A friend of mine spent years looking for the right pastime.",
    "Try it out before you spend a lot of money.",
    "It may turn into a habit.",
    "Good company makes nearly anything enjoyable.",
    "You can find clubs for this sort of thing in most towns.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(THINGS)
    thing, want, why, begin = row
    one, two = others(draw, THINGS, row)
    every = (
        ("what would you recommend", Part(
            (f"I recommend {thing}.", f"My pick is {thing}.", f"You could not do better than {thing}."),
            (f"I recommend {one[0]}.", f"My pick is {two[0]}.", f"You could not do better than {one[0]}."))),
        ("why that", Part(
            (f"It fits because {why}.", f"I say so because {why}."),
                          (f"It fits because {one[2]}.", f"I say so because {two[2]}."))),
        ("how does one begin", Part(
            (f"To begin, {begin}.", f"As a first step, {begin}."),
            (f"To begin, {one[3]}.", f"As a first step, {two[3]}."))),
    )  # fmt: skip
    asked = [every[0], *draw.subset(every[1:], draw.pick((1, 1, 2)))]
    question = up(listed([q for q, _ in asked])) + "?"
    who = draw.pick(WHO).format(draw.pick(NAMES))
    money = draw.pick(BUDGET).format(draw.pick((15, 20, 25, 30, 40, 50, 60, 80)))
    age = count(draw.between(2, 12), "hour")
    start = draw.pick((
        f"I am looking for {want}. It is for {who}, and I can spend {money}.",
        f"For {who} I need {want}, for {money}.",
        f"We have {age} a week and {money} to spend, and want {want}. It is for {who}.",
    ))  # fmt: skip
    return Task(f"{start} {question}", thing, tuple(p for _, p in asked), EXTRAS)
