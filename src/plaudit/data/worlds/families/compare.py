"""Two options and a situation: which is better, why, and what speaks against it."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import NAMES, Part, Task, listed, up

# options, each with its drawback; situations with the better option (0 or 1) and its reason
PAIRS = (
    ("a paperback", "an e-reader", "paper takes up room on the shelf", "the battery must be charged", (
        ("reading in the bath", 0, "it is cheap to replace when it gets wet"),
        ("six months of travelling", 1, "it holds dozens of books in one thin case"),
        ("lending books to friends", 0, "you can simply hand it over"),
        ("reading in bed without a lamp", 1, "its screen is lit"))),
    ("the train", "a car", "you depend on the timetable", "parking costs money and patience", (
        ("commuting into a big city", 0, "you skip the traffic and can read on the way"),
        ("moving a wardrobe", 1, "large things fit in the back"),
        ("visiting a remote farm", 1, "no line goes that far"),
        ("a trip on which everybody wants wine", 0, "nobody has to stay sober to drive"))),
    ("a cat", "a dog", "it may scratch the sofa", "it must go out in any weather", (
        ("somebody who is away all day", 0, "it copes well with being alone"),
        ("somebody who wants to jog in company", 1, "it loves to run along"),
        ("a small flat on the fourth floor", 0, "it needs little room and no walks"),
        ("a family that wants a guard for the yard", 1, "it barks when strangers come"))),
    ("gas", "induction", "it heats the whole kitchen", "some of the old pans will not work on it", (
        ("a home with toddlers", 1, "the plate itself stays fairly cool"),
        ("cooking during power cuts", 0, "it works without electricity"),
        ("wiping up quickly", 1, "the top is one flat sheet of glass"),
        ("cooking in a round-bottomed wok", 0, "the flame licks up the sides"))),
    ("renting", "buying", "the money never comes back to you", "it ties you and your savings down", (
        ("somebody who will move within two years", 0, "leaving costs little"),
        ("a family that means to stay for thirty years", 1, "each payment adds to what you own"),
        ("somebody with no savings at all", 0, "no large first payment is needed"),
        ("somebody who wants to knock down walls", 1, "nobody has to allow it"))),
    ("a laptop", "a desktop computer", "it is harder to repair", "it stays where it is", (
        ("a student who works in libraries", 0, "it goes wherever you go"),
        ("editing large films at home", 1, "you get more power for the same money"),
        ("somebody who likes to swap parts", 1, "every part can be changed with a screwdriver"),
        ("working on the train", 0, "it has its own battery and screen"))),
    ("wool", "cotton", "it must be washed with care", "it stays wet for a long time", (
        ("a cold and damp hike", 0, "it keeps you warm even when wet"),
        ("towels", 1, "it soaks up water well"),
        ("a shirt that is washed hot every week", 1, "it stands hot washing"),
        ("socks for winter boots", 0, "it holds warm air around the foot"))),
    ("an open fire", "central heating", "it makes ash and smoke", "it is not much to look at", (
        ("keeping six rooms equally warm", 1, "the warmth reaches each room by itself"),
        ("a cosy evening in one room", 0, "flames make a room feel friendly"),
        ("heating while nobody is at home", 1, "a clock can switch it on and off"),
        ("a cabin without electricity", 0, "all it needs is wood"))),
    ("email", "a phone call", "the answer may take days", "nothing is left in writing", (
        ("sending a list of forty prices", 0, "figures can be read again and copied"),
        ("calming down an angry customer", 1, "a voice can show that you care"),
        ("reaching somebody within a minute", 1, "you get an answer at once"),
        ("keeping a record of what was agreed", 0, "the words are there to look up later"))),
    ("a backpack", "a suitcase on wheels", "shirts come out creased", "it is a nuisance on stairs", (
        ("a walk along mountain paths", 0, "both hands stay free"),
        ("three suits and a hotel by the airport", 1, "clothes lie flat in it"),
        ("somebody with a bad back", 1, "the floor carries the weight"),
        ("cobbled streets and many stairs", 0, "rough ground does not matter to it"))),
)  # fmt: skip
EXTRAS = (
    "People have argued about this for years.",
    "Both have their friends, of course.",
    "It is good to think about it before spending money.",
    "You could ask around and hear what others say.",
    "There is no need to decide today.",
    "Much depends on taste in the end.",
    "Either way, you will get used to it.",
)
ASK = ("{who} is choosing between {x} and {y}.", "We cannot agree at home: {x} or {y}?",
       "{who} wants my advice on {x} or {y}.",
       "I have to pick {x} or {y} for {who}.", "{x_up} or {y}? That is what {who} wants to know.")  # fmt: skip


def make(draw: Draw) -> Task:
    x, y, x_bad, y_bad, cases = draw.pick(PAIRS)
    case, better, reason = draw.pick(cases)
    wrong_reason = draw.pick([c[2] for c in cases if c[1] != better])
    options, drawbacks = (x, y), (x_bad, y_bad)
    win, lose = options[better], options[1 - better]
    every = (
        ("which would you choose", Part(
            (f"I would choose {win}.", f"In this case {win} is the better choice.",
             f"Go for {win} rather than {lose}."),
            (f"I would choose {lose}.", f"In this case {lose} is the better choice.",
             f"Go for {lose} rather than {win}."))),
        ("what is the main reason", Part(
            (f"The main reason is that {reason}.", f"What counts here is that {reason}."),
            (f"The main reason is that {wrong_reason}.", f"What counts here is that {wrong_reason}."))),
        ("what speaks against it", Part(
            (f"What speaks against it is that {drawbacks[better]}.", f"On the other hand, {drawbacks[better]}."),
            (f"What speaks against it is that {drawbacks[1 - better]}.",
             f"On the other hand, {drawbacks[1 - better]}."))),
    )  # fmt: skip
    asked = [every[0], *draw.subset(every[1:], draw.pick((1, 1, 2)))]
    question = up(listed([q for q, _ in asked])) + "?"
    who = draw.pick((draw.pick(NAMES), f"my {draw.pick(('brother', 'boss', 'aunt', 'neighbour'))} {draw.pick(NAMES)}"))
    start = up(draw.pick(ASK).format(who=who, x=x, y=y, x_up=up(x)))
    return Task(f"{start} It is for {case}. {question}", f"{x} {case}", tuple(p for _, p in asked), EXTRAS)
