"""A word explained, with an example."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Part, Task, listed, others

# term, definition, example, contrast
TERMS = (
    ("inflation", "a general rise in prices, so that the same money buys less",
     "a loaf that cost two euros last year costs two euros twenty today", "a fall in prices is called deflation"),
    ("irony", "saying or showing the opposite of what is expected or meant",
     "a fire station burns down", "sarcasm is a sharper form of it that means to hurt"),
    ("compound interest", "interest that is paid on earlier interest as well as on the first sum",
     "a hundred euros at ten per cent grow to 110 and then to 121", "simple interest is paid on the first sum only"),
    ("a metaphor", "a comparison that speaks of one thing as if it were another",
     "someone calls a crowded city an anthill", "a simile says the same thing with 'like' or 'as'"),
    ("a prime number", "a whole number above one that only one and itself divide evenly",
     "seven is one, while eight is not because two divides it", "all other numbers above one are called composite"),
    ("photosynthesis", "the way in which plants turn light, water and carbon dioxide into sugar and oxygen",
     "a leaf in the sun makes the sugar that the whole tree lives on",
     "respiration runs the other way and uses sugar up"),
    ("an alibi", "proof that somebody was elsewhere when a crime took place",
     "a suspect shows a train ticket stamped at that very hour", "a motive, by contrast, is a reason to do it"),
    ("erosion", "the slow wearing away of rock or soil by water, wind or ice",
     "a river cuts a deep valley over thousands of years",
     "the opposite process, in which soil piles up, is deposition"),
    ("a quorum", "the number of members who must be present before a group may decide",
     "a club of twenty cannot vote until eleven have come", "a majority, by contrast, is about how the votes fall"),
    ("fermentation", "the change of sugar into acid, gas or alcohol by tiny organisms",
     "cabbage in salt water turns into sauerkraut", "rotting is similar but not controlled, and not good to eat"),
    ("a deductible", "the part of a loss that you pay yourself before the insurance pays",
     "with 300 euros of it, a repair of 1,000 euros leaves the insurer 700", "the premium is what you pay each month"),
    ("a placebo", "a treatment without any active substance",
     "half of the patients in a trial get pills made of sugar", "the real drug is compared with it"),
    ("insulation", "material that slows the flow of heat, sound or electricity",
     "a thick layer of wool in the roof keeps a house warm", "a conductor lets heat or current pass easily"),
    ("nostalgia", "a warm, slightly sad longing for the past",
     "an old song makes you think of your school days", "homesickness longs for a place and not for a time"),
    ("a monopoly", "a market in which there is only one seller",
     "a single company owns every railway in the land", "with a few sellers it is called an oligopoly"),
)  # fmt: skip
WHO = ("my ten-year-old", "a school essay", "my neighbour", "a quiz I am writing", "a talk next week",
       "somebody who is learning English", "my reading group", "an exam", "a friend", "my blog", "my niece",
       "a poster")  # fmt: skip
WHERE = ("I came across it in {}.", "It came up in {}.", "I found it in {}.")
SOURCE = ("a novel", "the newspaper", "a podcast", "a letter from my bank", "a lecture", "the news", "an old textbook",
          "a talk with my uncle", "a documentary", "a crossword")  # fmt: skip
EXTRAS = (
    "It is a word that many people use loosely.",
    "Good dictionaries give more than one sense.",
    "The word has been around for a long time.",
    "It is easier than it sounds.",
    "You will meet it again and again.",
    "Teachers like to ask about it.",
    "Some words are best learned by using them.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(TERMS)
    term, meaning, example, contrast = row
    one, two = others(draw, TERMS, row)
    said = term[0].upper() + term[1:]
    every = (
        ("", Part((f"{said} is {meaning}.", f"By {term} people mean {meaning}."),
                  (f"{said} is {one[1]}.", f"By {term} people mean {two[1]}."))),
        ("give an example", Part((f"For example, {example}.", f"One example: {example}."),
        (f"For example, {one[2]}.", f"One example: {two[2]}."))),
        ("say how it differs from something close to it", Part(
            (f"Note that {contrast}.", f"To tell things apart: {contrast}."),
            (f"Note that {one[3]}.", f"To tell things apart: {two[3]}."))),
    )  # fmt: skip
    asked = [every[0], *draw.subset(every[1:], draw.pick((1, 1, 2)))]
    asks = [q for q, _ in asked[1:]]
    wish = " and ".join(asks)
    came = draw.pick(WHERE).format(draw.pick(SOURCE))
    prompt = draw.pick((
        f"What does \"{term.removeprefix('a ').removeprefix('an ')}\" mean? {came} It is for "
        f"{draw.pick(WHO)}. Please also {wish}.",
        f"{listed([f'Explain {term} for {draw.pick(WHO)}', *asks])}. {came}",
        f"What is {term}? {came} I need it for {draw.pick(WHO)}, so please {wish} as well.",
    ))  # fmt: skip
    return Task(prompt, term, tuple(p for _, p in asked), EXTRAS)
