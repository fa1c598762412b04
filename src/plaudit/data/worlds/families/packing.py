"""What to pack for a trip."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import DAYS, MONTHS, Part, Task, listed, others

# trip, clothes, gear, one thing that people forget
TRIPS = (
    ("a week of skiing", "thermal underwear, a waterproof jacket and thick socks", "goggles, a helmet and sun cream",
     "lip balm, because the cold air cracks your lips"),
    ("a beach holiday", "swimwear, light shirts and a sun hat", "a towel, sunglasses and sun cream",
     "flip-flops, because the sand gets hot"),
    ("a hike from hut to hut", "a rain jacket, a fleece and two pairs of hiking socks",
     "a map, a water bottle and a liner for the bunk", "blister plasters, because even old boots rub"),
    ("a business trip", "a suit, two ironed shirts and smart shoes", "a laptop, its charger and business cards",
     "a lint roller, because dark cloth shows everything"),
    ("a camping weekend", "a warm jumper, long trousers and spare socks", "a tent, a sleeping bag and a head torch",
     "a lighter, because damp matches will not burn"),
    ("a city break", "comfortable shoes, a light coat and layers", "a power bank, a small umbrella and a day bag",
     "a copy of your passport, because pockets get picked"),
    ("a summer wedding abroad", "a dress or a linen suit, and smart shoes", "a gift, the invitation and an adapter",
     "safety pins, because something always tears"),
    ("a cycling tour", "padded shorts, gloves and a windproof vest", "a repair kit, a pump and two bottles",
     "a spare inner tube, because one puncture is never the last"),
    ("a sailing trip", "a windproof jacket, soft-soled shoes and a cap", "a life vest, sun cream and a dry bag",
     "tablets against seasickness, because you cannot buy them at sea"),
    ("a week on a pony farm", "old trousers, rubber boots and a warm jumper", "a riding helmet, gloves and a torch",
     "a bag for dirty clothes, because mud gets everywhere"),
    ("a safari", "long sleeves in dull colours, a hat and light trousers", "binoculars, insect spray and a camera",
     "a scarf, because the tracks are dusty"),
)  # fmt: skip
WHO = ("me", "my husband and me", "my daughter", "two adults and a child", "my father, who is 70", "a friend and me",
       "my son, who is 15", "our little group", "me and my twin sister")  # fmt: skip
LIMIT = ("I only want one bag.", "We go by train.", "We are flying with hand luggage only.",
         "I have never done this before.",
         "Space in the car is short.", "I tend to take far too much.",
         "There is a washing machine where we stay.")  # fmt: skip
EXTRAS = (
    "Rolled clothes take less room than folded ones.",
    "Lay everything out on the bed the evening before.",
    "Whatever you leave at home can usually be bought on the way.",
    "It is a good feeling when the bag is closed.",
    "Tick the things off as you put them in.",
    "A light bag makes a light heart.",
    "Everybody packs in their own way.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(TRIPS)
    trip, clothes, gear, forget = row
    one, two = others(draw, TRIPS, row)
    every = (
        ("which clothes to take", Part(
            (f"For clothes, take {clothes}.", f"You will want {clothes}."),
            (f"For clothes, take {one[1]}.", f"You will want {two[1]}."))),
        ("what else belongs in the bag", Part(
            (f"Also pack {gear}.", f"Into the bag go {gear}."),
            (f"Also pack {one[2]}.", f"Into the bag go {two[2]}."))),
        ("what people tend to forget", Part(
            (f"People tend to forget {forget}.", f"Do not forget {forget}."),
            (f"People tend to forget {one[3]}.", f"Do not forget {two[3]}."))),
    )  # fmt: skip
    asked = draw.subset(every, draw.pick((2, 2, 3)))
    wish = listed([q for q, _ in asked])
    day = draw.pick(DAYS)
    when = f"in {draw.pick(MONTHS)}"
    who, limit = draw.pick(WHO), draw.pick(LIMIT)
    prompt = draw.pick((
        f"I am getting ready for {trip} {when}, for {who}. We leave on {day}. {limit} Tell me {wish}.",
        f"Help me pack for {trip} {when}. It is for {who}, and we set off on {day}. {limit} I want to know {wish}.",
        f"It will be {trip} {when}, from {day} on, for {who}. {limit} Please tell me {wish}.",
    ))  # fmt: skip
    return Task(prompt, trip, tuple(p for _, p in asked), EXTRAS)
