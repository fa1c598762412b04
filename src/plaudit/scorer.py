"""The one protocol behind which every source of scores stands."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from numpy.typing import NDArray

from plaudit.records import Preference


@runtime_checkable
class Scorer(Protocol):
    """Gives every response of every preference a number, higher is better.

    `fingerprint` names weights, tokenizer, template, token policy and dtype; '' means: never cache these scores.
    """

    fingerprint: str

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [N] per preference, in its own order of responses."""
        ...


@runtime_checkable
class Panel(Scorer, Protocol):
    """A scorer made of members."""

    def votes_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [K, N] per preference: every member's score."""
        ...
