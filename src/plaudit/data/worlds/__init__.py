"""Worlds: synthetic preferences whose truth is known. One file each; presets fix their options for ever.

>>> world = make("text-v1", n=2)
>>> len(world.preferences), world.truth.gold.shape
(2, (2, 2))
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plaudit.data.worlds._truth import World


def presets() -> dict[str, str]:
    """Every preset and what it is."""
    from plaudit.data.worlds._presets import TEXT, VECTOR

    return {name: about for table in (TEXT, VECTOR) for name, (about, _) in table.items()}


def make(name: str, *, n: int = 4000, seed: int = 0) -> "World":
    """The first n preferences of a preset: the same bytes for the same name, seed and n, for ever.

    Raises OptionError for an unknown preset (naming the nearest) or a negative n.
    """
    from difflib import get_close_matches

    from plaudit.data.worlds import text, vector
    from plaudit.data.worlds._presets import TEXT, VECTOR
    from plaudit.errors import OptionError

    known = [*TEXT, *VECTOR]
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise OptionError([f"unknown world {name!r}{hint}"], advice="known: " + ", ".join(known))
    if n < 1:
        raise OptionError([f"--n {n}: a world has one preference or more"])
    if name in TEXT:
        return text.make(name, n=n, seed=seed, options=TEXT[name][1])
    return vector.make(name, n=n, seed=seed, options=VECTOR[name][1])
