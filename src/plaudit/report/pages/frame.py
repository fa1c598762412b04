"""What every page shares: one environment with autoescape, one stylesheet, and one way for a text to become visible.

A page is a single file: no script, nothing fetched, no clock, so that equal values give equal bytes. Texts are hostile:
a template cannot print one that has not passed `visible` or `lines`, because the environment passes whatever is left.
"""

from functools import cache, lru_cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import category

from plaudit.report.terminal import clean

NAME, SENTENCE = 80, 1200  # characters that are shown of a name (an id, a file, an annotator) and of a sentence
NOTHING = "–"
JOINERS = "\u200c\u200d"


class Visible(str):
    """Text whose control, format and surrogate characters are visible escapes already; it is still escaped for HTML."""

    __slots__ = ()


class Figure(Visible):
    """A number as text: tables set it to the right."""

    __slots__ = ()


def visible(text: str, most: int = SENTENCE) -> Visible:
    """One line: hostile characters as escapes, cut with a count.

    >>> visible("a\\x1b[31m\\u202eb"), visible("x" * 1_000_000, 3)
    ('a\\\\x1b[31m\\\\u202eb', 'xxx… (999,997 more characters)')
    """
    if isinstance(text, Visible):
        return text
    left = len(text) - most
    return Visible(clean(text) if left <= 0 else f"{clean(text[:most])}… ({left:,} more characters)")


def lines(text: str) -> Visible:
    """A text with its lines and tabs as they are, everything else of that kind as escapes.

    Persian, Hindi and family emoji need the two zero-width joiners: those stay where they join letters or signs
    beyond ASCII, and are escapes elsewhere.

    >>> lines("one\\r\\ntwo\\x00"), lines("a\\u200cb"), ascii(lines("\\u0645\\u06cc\\u200c\\u06a9"))
    ('one\\ntwo\\\\x00', 'a\\\\u200cb', "'\\\\u0645\\\\u06cc\\\\u200c\\\\u06a9'")
    """
    kept = text.replace("\r\n", "\n").split("\n")
    return Visible("\n".join("\t".join(_with_joiners(part) for part in line.split("\t")) for line in kept))


def _with_joiners(text: str) -> str:
    if not any(joiner in text for joiner in JOINERS):
        return clean(text)
    kept = [i for i in range(1, len(text) - 1) if text[i] in JOINERS and _joins(text[i - 1]) and _joins(text[i + 1])]
    return "".join(clean(text[a + 1 : b]) + text[b : b + 1] for a, b in pairwise([-1, *kept, len(text)]))


def _joins(character: str) -> bool:
    return not character.isascii() and category(character)[0] in "LMS"


def fitting(text: str, budget: int) -> int:
    """How many characters of the text take at most `budget` bytes in a page, escapes counted.

    >>> fitting("plain", 100), fitting("<<<<", 8), fitting("\\u202e" * 9, 12)
    (5, 2, 2)
    """
    spent = 0
    for i, c in enumerate(text[:budget]):
        spent += _bytes(c)
        if spent > budget:
            return i
    return min(len(text), budget)


@lru_cache(maxsize=4096)
def _bytes(character: str) -> int:
    return len(escape(lines(character)).encode())


def name(text: Any) -> Visible:
    """An id, a file, an annotator: short enough for a cell."""
    return visible(str(text), NAME)


def sentence(text: Any) -> Visible:
    """A finding as a sentence: its first letter large, a full stop at its end.

    >>> sentence("the longer one wins 61%")
    'The longer one wins 61%.'
    """
    shown = visible(str(text))
    stop = "" if not shown or shown.endswith((".", "!", "?", ")")) else "."
    return Visible(shown[:1].upper() + shown[1:] + stop)


def share(value: Any) -> str:
    """A share in per cent with one decimal.

    >>> share(0.12345), share(None), share(float("nan"))
    ('12.3 %', '–', '–')
    """
    return f"{value * 100:.1f} %" if _finite(value) else _other(value)


def signed(value: Any) -> str:
    """A margin with its sign.

    >>> signed(-0.5), signed(12.0), signed(0.001)
    ('−0.50', '+12.0', '0.00')
    """
    if not _finite(value):
        return _other(value)
    text = f"{abs(value):.2f}" if abs(value) < 10 else f"{abs(value):,.1f}"
    return text if abs(value) < 0.005 else f"{'−' if value < 0 else '+'}{text}"


def number(value: Any) -> str:
    """Any number as a person writes it.

    >>> number(12345), number(0.123456), number(True), number(-3)
    ('12,345', '0.123', 'yes', '−3')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not _finite(value):
        return _other(value)
    text = (
        f"{abs(value):,}"
        if isinstance(value, int)
        else f"{abs(value):.3f}"
        if abs(value) < 10
        else f"{abs(value):,.1f}"
    )
    return f"−{text}" if value < 0 else text


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < float("inf")


def _other(value: Any) -> str:
    return NOTHING if value is None or isinstance(value, int | float) else name(value)


def render(template: str, **values: Any) -> str:
    """A template of this folder as one HTML document."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"), autoescape=True, undefined=StrictUndefined,
        finalize=_last_look, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.tests["figure"] = lambda value: isinstance(value, Figure)
    environment.filters.update(name=name, sentence=sentence, share=share, signed=signed, number=number)
    return environment


def _last_look(value: Any) -> Any:
    """What a template prints: markup of this room as it is, everything else as one visible line."""
    if hasattr(value, "__html__") or isinstance(value, Visible):
        return value
    return visible(NOTHING if value is None else str(value))
