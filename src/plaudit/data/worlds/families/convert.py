"""Data about a person to be put into another form."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import MONTHS, NAMES, SURNAMES, Part, Task, a

JOBS = ("nurse", "electrician", "teacher", "architect", "librarian", "plumber", "translator", "baker", "accountant",
        "engineer", "optician", "gardener")  # fmt: skip
CITIES = ("Leeds", "Porto", "Ghent", "Tampere", "Graz", "Cork", "Bergen", "Lyon", "Turin", "Gdansk", "Malmo", "Bristol")
EXTRAS = (
    "The original order was a little unusual.",
    "All of it comes from the line you gave.",
    "You can paste it wherever you need it.",
    "Lists like this are quickly out of date.",
    "I have kept the spelling of the names.",
    "It is always good to have a second look at such data.",
    "There was nothing else in the line.",
)


def make(draw: Draw) -> Task:
    first, last = draw.pick(NAMES), draw.pick(SURNAMES)
    (job, bad_job), (city, bad_city) = draw.some(JOBS, 2), draw.some(CITIES, 2)
    day, month, year = draw.between(1, 28), draw.between(1, 12), draw.between(1950, 2004)
    bad_month = (month + draw.between(1, 10)) % 12 + 1
    he = draw.pick(("the customer", "the member", "the applicant", "the guest"))
    entry = draw.pick((
        f"{last}, {first}; {job}; {city}; born {day} {MONTHS[month - 1]} {year}",
        f"{city} | {first} {last} | {job} | {day} {MONTHS[month - 1]} {year}",
        f"job: {job}, name: {first} {last}, town: {city}, born: {day} {MONTHS[month - 1]} {year}",
    ))  # fmt: skip
    sentence = Part(
        (f"{first} {last} is {a(job)} from {city}.", f"{first} {last} lives in {city} and works as {a(job)}."),
        (f"{first} {last} is {a(bad_job)} from {city}.", f"{first} {last} lives in {bad_city} and works as {a(job)}.",
         f"{last} {first} is {a(job)} from {bad_city}."))  # fmt: skip
    date = Part(
        (f"Date of birth: {year}-{month:02d}-{day:02d}.", f"Born: {year}-{month:02d}-{day:02d}."),
        (f"Date of birth: {day:02d}-{month:02d}-{year}.", f"Born: {year}-{bad_month:02d}-{day:02d}.",
         f"Date of birth: {MONTHS[month - 1]} {day}, {year}."))  # fmt: skip
    prompt = draw.pick((
        f"Here is an entry about {he}: \"{entry}\". Turn name, job and town into a full sentence, and give the date "
        "of birth as year-month-day in digits.",
        f"\"{entry}\"\n\nWrite this as a sentence with name, job and town, then the birthday in the form 2001-09-30.",
        f"Please rewrite this line about {he} in plain English (name, job, town) and add the date of birth as "
        f"YYYY-MM-DD: \"{entry}\".",
    ))  # fmt: skip
    return Task(prompt, entry, (sentence, date), EXTRAS, ("prose", "bullets", "brief"))
