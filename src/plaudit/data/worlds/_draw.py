"""Draws that stay the same for ever: only `random.Random.random`, whose sequence Python promises to keep, is used."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from plaudit.seeds import seed_for

T = TypeVar("T")


class Draw:
    """One named stream of choices.

    >>> Draw(0, "example", 1).pick("abc") == Draw(0, "example", 1).pick("abc")
    True
    """

    def __init__(self, seed: int, purpose: str, *index: int) -> None:
        self.uniform = Random(seed_for(seed, purpose, *index)).random

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return int(self.uniform() * n)

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, p: float) -> bool:
        return self.uniform() < p

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], k: int) -> list[T]:
        """k different items, in random order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(min(k, len(left)))]

    def subset(self, items: Sequence[T], k: int) -> list[T]:
        """k different items, in their own order."""
        chosen = set(self.some(range(len(items)), k))
        return [item for i, item in enumerate(items) if i in chosen]
