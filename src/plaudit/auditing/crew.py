"""Who votes: the views and members of a committee, from a few options and the trunks at hand."""

from collections.abc import Sequence
from typing import Literal

from plaudit.errors import OptionError
from plaudit.models.features import Pool
from plaudit.models.members import LENGTH, Kind, Member, View
from plaudit.seeds import seed_for

DEPTHS = (0.8, 0.7, 0.5)  # shares of a trunk's depth; what lies beyond the first is never computed


def layers_of(text: str, blocks: int) -> tuple[int, ...]:
    """Layers named by the user, or those at `DEPTHS` of a trunk with that many blocks; deepest first.

    >>> layers_of("", 30), layers_of("4,5", 6)
    ((24, 21, 15), (5, 4))
    """
    if not text:
        return tuple(sorted({max(1, round(share * blocks)) for share in DEPTHS}, reverse=True))
    asked = numbers_of(text)
    wrong = sorted(layer for layer in asked if not 0 <= layer <= blocks)
    if wrong:
        raise OptionError([f"layers: {wrong[0]} is not a layer of a model with {blocks} blocks (0 to {blocks})"])
    return tuple(sorted(asked, reverse=True))


def numbers_of(text: str) -> set[int]:
    """The layers that are named, of whatever model; none where none is."""
    try:
        return {int(word) for word in text.split(",")} if text else set()
    except ValueError:
        raise OptionError([f"layers: {text!r} is not a list of numbers"], advice="for example --layers 15,21") from None


def pools_of(word: Literal["read", "mean", "both"]) -> tuple[Pool, ...]:
    """The poolings that are read."""
    return ("read", "mean") if word == "both" else (word,)


def crew(
    layers: Sequence[tuple[int, ...]], pools: tuple[Pool, ...], *, count: int = 10, length: bool = False,
    heads: str = "linear", seed: int = 0,
) -> tuple[list[View], list[Member]]:  # fmt: skip
    """Views and members. Members go round the views (trunks, then poolings, then layers), unlike ones first.

    `layers`: of every trunk. The last of two members or more reads length when `length`; without any view
    it is the only member.

    >>> views, members = crew([(24, 15)], ("read", "mean"), count=4)
    >>> [str(views[m.view]) for m in members]
    ['trunk 0, layer 24, read', 'trunk 0, layer 24, mean', 'trunk 0, layer 15, read', 'trunk 0, layer 15, mean']
    """
    deepest = max((len(own) for own in layers), default=0)
    views = [
        View(trunk, own[depth], pool)
        for depth in range(deepest)
        for pool in pools
        for trunk, own in enumerate(layers)
        if depth < len(own)
    ]
    by_length = not views or (length and count > 1)
    seats = count - by_length
    members = [
        Member(k % len(views), kind_of(heads, k), seed_for(seed, "member", k)) for k in range(seats if views else 0)
    ]
    used = sorted({m.view for m in members})
    views = [views[v] for v in used]
    members = [Member(used.index(m.view), m.kind, m.seed) for m in members]
    if by_length:
        views.append(LENGTH)
        members.append(Member(len(views) - 1, "linear", seed_for(seed, "member", count - 1)))
    return views, members


def kind_of(heads: str, k: int) -> Kind:
    """What member k is: linear or mlp; `mixed` takes turns."""
    return "mlp" if heads == "mlp" or (heads == "mixed" and k % 2) else "linear"
