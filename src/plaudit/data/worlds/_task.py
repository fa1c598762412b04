"""What a task family hands to the text world: a prompt, the parts that were asked for, and words that add nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plaudit.data.worlds._draw import Draw

FORMS = ("bullets", "numbered", "prose", "brief")
LISTS = ("bullets", "numbered")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the prompt asks for: wordings that are right, and fluent wordings that are wrong."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and what a writer of answers needs to know.

    `subject` tells two tasks of a family apart: a right answer to another subject is an irrelevant answer here.
    `extras` are on the topic, true, and useless. `forms` may be asked for. `letter` maps a tone to greeting and
    sign-off where the answer is a letter. `slips` is the chance that an answer to the point holds something wrong.
    """

    prompt: str
    subject: str
    parts: tuple[Part, ...]
    extras: tuple[str, ...]
    forms: tuple[str, ...] = FORMS
    letter: dict[str, tuple[str, str]] | None = None
    slips: float = 0.4


Make = Callable[[Draw], Task]

NAMES = (
    "Anna", "Ben", "Carla", "David", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mara", "Noah",
    "Olga", "Pablo", "Rosa", "Samir", "Tessa", "Umar", "Vera", "Will", "Yusuf", "Zoe",
)  # fmt: skip
SURNAMES = (
    "Novak", "Okafor", "Lindgren", "Moreau", "Tanaka", "Fischer", "Costa", "Murphy", "Haddad", "Kowalski", "Jensen",
    "Rossi", "Patel", "Alvarez", "Brandt", "Sato", "Dumont", "Walsh",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def up(text: str) -> str:
    """The text with its first letter capitalised."""
    return text[:1].upper() + text[1:]


def a(noun: str) -> str:
    """The noun with its indefinite article, by sound.

    >>> a("apple"), a("uniform"), a("hour")
    ('an apple', 'a uniform', 'an hour')
    """
    low = noun.lower()
    vowel = low[0] in "aeiou" and not low.startswith(("uni", "use", "one", "eu", "uk"))
    return ("an " if vowel or low.startswith(("hour", "honest", "heir")) else "a ") + noun


def count(n: int, noun: str, plural: str = "") -> str:
    """A number and its noun.

    >>> count(1, "box", "boxes"), count(3, "box", "boxes"), count(20, "egg")
    ('one box', 'three boxes', '20 eggs')
    """
    word = WORDS[n] if 0 < n < len(WORDS) else str(n)
    return f"{word} {noun if n == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """A, b and c.

    >>> listed(["tea", "milk", "bread"])
    'tea, milk and bread'
    """
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + f" {last} {items[-1]}"


def others(draw: Draw, table: Sequence[Any], row: Any, k: int = 2) -> list[Any]:
    """k other rows of a table: what is right for them is wrong here, in the same words."""
    return draw.some([r for r in table if r is not row], k)
