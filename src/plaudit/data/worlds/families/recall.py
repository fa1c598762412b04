"""Facts to be found in a given passage."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import NAMES, SURNAMES, Part, Task, listed, up

TOWNS = ("Marwick", "Elderby", "Port Callan", "Saltmere", "Dunhollow", "Brackley", "Ostervik", "Thornbury Cross",
         "Lower Wenn", "Kestrel Bay", "Hollins", "Greyford")  # fmt: skip
COLOURS = ("white", "red", "dark green", "pale yellow", "sky blue", "grey")
TRADES = (
    "a ship's carpenter",
    "a retired teacher",
    "a baker's widow",
    "a young engineer",
    "the local doctor",
    "two brothers",
)
SELLS = ("rye bread", "plum jam", "hand-made soap", "goat's cheese", "dark honey", "smoked trout")
EXTRAS = (
    "All of this is in the passage.",
    "The passage is about a small place.",
    "One has to read it closely.",
    "Local history is full of such details.",
    "The text gives a few more details besides.",
    "I hope I have read it as it was meant.",
    "It makes one want to visit.",
)

Fact = tuple[str, tuple[str, ...], tuple[str, ...]]


def _years(draw: Draw) -> tuple[int, int, int]:
    first = draw.between(1780, 1930)
    return first, first + draw.between(12, 40), first + draw.between(45, 60)


def _lighthouse(draw: Draw) -> tuple[str, list[Fact]]:
    town, by, colour, off = draw.pick(TOWNS), draw.pick(TRADES), *draw.some(COLOURS, 2)
    built, painted, _ = _years(draw)
    tall, keeper = draw.between(12, 48), f"{draw.pick(NAMES)} {draw.pick(SURNAMES)}"
    text = (f"The lighthouse of {town} was built in {built} by {by}. It stands {tall} metres tall and was painted "
            f"{colour} in {painted}. Its last keeper was {keeper}.")  # fmt: skip
    bad = draw.pick([t for t in TRADES if t != by])
    return text, [
        ("when the lighthouse was built", (f"The lighthouse was built in {built}.",),
         (f"The lighthouse was built in {painted}.",)),
        ("who built it", (f"It was built by {by}.",), (f"It was built by {bad}.", f"It was built by {keeper}.")),
        ("how tall it is", (f"It is {tall} metres tall.",),
         (f"It is {tall + draw.pick((-5, -3, 3, 5, 10))} metres tall.",)),
        ("what colour it was painted", (f"It was painted {colour}.",), (f"It was painted {off}.",)),
        ("who kept it last", (f"The last keeper was {keeper}.",), (f"The last keeper was {by}.",)),
    ]  # fmt: skip


def _market(draw: Draw) -> tuple[str, list[Fact]]:
    town, (sold, also, off) = draw.pick(TOWNS), draw.some(SELLS, 3)
    day, bad_day = draw.some(("Tuesday", "Wednesday", "Friday", "Saturday"), 2)
    stalls, opens, year = draw.between(9, 60), draw.between(6, 9), draw.between(1890, 1990)
    text = (f"Every {day} from {opens} in the morning, {stalls} stalls fill the square of {town}. The market is known "
            f"for its {sold}, though {also} sells faster. It has been held without a break since {year}.")  # fmt: skip
    return text, [
        ("on which day the market is held", (f"The market is held every {day}.",),
         (f"The market is held every {bad_day}.",)),
        ("how many stalls there are", (f"There are {stalls} stalls.",),
         (f"There are {stalls + draw.pick((-5, -2, 4, 11))} stalls.",)),
        ("what it is known for", (f"It is known for its {sold}.",),
         (f"It is known for its {also}.", f"It is known for its {off}.")),
        ("what sells fastest", (f"What sells fastest is {also}.",),
         (f"What sells fastest is {sold}.", f"What sells fastest is {off}.")),
        ("since when it has been held", (f"It has been held since {year}.",),
         (f"It has been held since {year + draw.pick((-20, -10, 7, 15))}.",)),
    ]  # fmt: skip


def _orchestra(draw: Draw) -> tuple[str, list[Fact]]:
    town, leader, founder = draw.pick(TOWNS), *draw.some([f"{n} {s}" for n, s in zip(NAMES, SURNAMES, strict=False)], 2)
    n, year = draw.between(14, 70), draw.between(1920, 2005)
    hall, bad_hall = draw.some(("the old brewery", "the fire station", "a former cinema", "the harbour office"), 2)
    play, bad_play = draw.some(("waltzes", "film music", "folk songs", "marches", "tango", "chamber music"), 2)
    text = (f"The {town} town orchestra was founded in {year} by {founder} and is now led by {leader}. Its {n} players "
            f"rehearse in {hall}. They play mostly {play}.")  # fmt: skip
    return text, [
        ("who founded the orchestra", (f"The orchestra was founded by {founder}.",),
         (f"The orchestra was founded by {leader}.",)),
        ("who leads it now", (f"It is now led by {leader}.",), (f"It is now led by {founder}.",)),
        ("how many players it has", (f"It has {n} players.",), (f"It has {n + draw.pick((-6, -4, 5, 8))} players.",)),
        ("where they rehearse", (f"They rehearse in {hall}.",), (f"They rehearse in {bad_hall}.",)),
        ("what they play", (f"They play mostly {play}.",), (f"They play mostly {bad_play}.",)),
    ]  # fmt: skip


def make(draw: Draw) -> Task:
    text, facts = draw.pick((_lighthouse, _market, _orchestra))(draw)
    asked = draw.subset(facts, draw.pick((2, 2, 3)))
    wish = listed([q for q, _, _ in asked])
    prompt = draw.pick((
        f"Read this passage and tell me {wish}.\n\n{text}",
        f"{text}\n\nFrom the text above, tell me {wish}.",
        f"\"{text}\" {up(draw.pick(('going by this', 'according to this passage')))}, say {wish}.",
    ))  # fmt: skip
    return Task(prompt, text, tuple(Part(right, wrong) for _, right, wrong in asked), EXTRAS)
