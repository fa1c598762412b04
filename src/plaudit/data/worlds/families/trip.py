"""A free day in a city: something to see, something to eat, somewhere to walk."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import MONTHS, Part, Task, listed, others, up

# city, indoor sight, food, walk
CITIES = (
    ("Lisbon", "the National Tile Museum", "a warm custard tart with cinnamon", "the lanes of Alfama"),
    ("Vienna", "the Museum of Art History", "a slice of Sachertorte", "the gardens of Schönbrunn"),
    ("Prague", "the Strahov library", "beef in cream sauce with dumplings", "the orchards of Petřín hill"),
    ("Kyoto", "Nijo Castle", "a pot of simmered tofu", "the Philosopher's Path"),
    ("Edinburgh", "the National Museum of Scotland", "haggis with turnips and potatoes", "Arthur's Seat"),
    ("Rome", "the Borghese Gallery", "a plate of cacio e pepe", "the Janiculum hill"),
    ("Amsterdam", "the Rijksmuseum", "a fresh stroopwafel from a stall", "Vondelpark"),
    ("Copenhagen", "the Glyptotek", "an open sandwich on rye bread", "the harbour front at Nyhavn"),
    ("Istanbul", "the Topkapi Palace", "a grilled fish sandwich by the water", "Gülhane Park"),
    ("Boston", "the Isabella Stewart Gardner Museum", "a bowl of clam chowder", "the Public Garden"),
    ("Budapest", "the parliament building", "a bowl of goulash", "Margaret Island"),
    ("Barcelona", "the Picasso Museum", "bread rubbed with tomato and oil", "the slopes of Montjuïc"),
    ("Mexico City", "the Museum of Anthropology", "tacos al pastor", "Chapultepec park"),
    ("Singapore", "the Asian Civilisations Museum", "Hainanese chicken rice", "the Botanic Gardens"),
    ("Berlin", "the Pergamon Panorama", "a currywurst with fries", "the old airfield at Tempelhof"),
    ("Dublin", "the Chester Beatty library", "Irish stew with soda bread", "St Stephen's Green"),
)
TIME = ("one free afternoon", "a single day", "most of a Sunday", "a long layover", "a day and a half", "six hours",
        "an unplanned Saturday", "a day between two meetings")  # fmt: skip
WITH = ("on my own", "with my parents", "with two small children", "with a friend from university", "with my sister",
        "with my teenage son", "with colleagues", "with my grandfather")  # fmt: skip
EXTRAS = (
    "Comfortable shoes make any day in a city better.",
    "It is always worth looking at the weather before you set out.",
    "Cities are at their best when you do not hurry.",
    "Opening hours change, so look them up the day before.",
    "You will find that locals are happy to give directions.",
    "Leave a little time for getting lost.",
    "Everybody comes home with a different favourite.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(CITIES)
    city, sight, food, walk = row
    one, two = others(draw, CITIES, row)
    every = (
        ("what should I see indoors", Part(
            (f"For something indoors, go to {sight}.", f"Spend an hour or two in {sight}.",
             f"If you want a roof over your head, {sight} is my choice."),
            (f"For something indoors, go to {one[1]}.", f"Spend an hour or two in {two[1]}."))),
        ("which local dish should I try", Part(
            (f"For food, try {food}.", f"Do not leave without having had {food}.", f"The thing to eat is {food}."),
            (f"For food, try {one[2]}.", f"The thing to eat is {two[2]}."))),
        ("where can I go for a walk", Part(
            (f"For a walk, I like {walk}.", f"A stroll around {walk} is a good way to see the place.",
             f"You can stretch your legs at {walk}."),
            (f"For a walk, I like {one[3]}.", f"You can stretch your legs at {two[3]}."))),
    )  # fmt: skip
    asked = draw.subset(every, draw.pick((2, 2, 3)))
    question = up(listed([q for q, _ in asked])) + "?"
    start = draw.pick((
        f"I have {draw.pick(TIME)} in {city} in {draw.pick(MONTHS)} {draw.pick(WITH)}.",
        f"In {draw.pick(MONTHS)} I will be in {city} {draw.pick(WITH)}, for {draw.pick(TIME)}.",
        f"About {city}: I will be there {draw.pick(WITH)} in {draw.pick(MONTHS)} and have {draw.pick(TIME)}.",
    ))  # fmt: skip
    return Task(f"{start} {question}", city, tuple(p for _, p in asked), EXTRAS)
