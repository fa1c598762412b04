"""Longer is better: the number of code points of the final response. The control beside every accuracy.

>>> from plaudit.records import pair
>>> scorer().score_all([pair("2+2?", "four", "5")])
[array([4., 1.])]
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plaudit.records import Conversation, Preference


def final_text(response: Conversation) -> str:
    """The text of a response's last turn: a response may hold earlier turns that only one side has."""
    return response[-1].text if response else ""


class Length:
    """Scores by length alone."""

    fingerprint = "length-1"
    name = "length"

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        return [np.array([len(final_text(r)) for r in p.responses], dtype=np.float64) for p in preferences]

    def texts(self, preference: Preference) -> list[str]:
        """The exact strings that are scored, one per response."""
        return [final_text(r) for r in preference.responses]


def scorer() -> Length:
    return Length()
