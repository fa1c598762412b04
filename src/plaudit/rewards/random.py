"""A uniform number drawn from the texts and a seed: what knowing nothing earns. Equal texts get equal numbers.

>>> from plaudit.records import pair
>>> p = pair("2+2?", "4", "5")
>>> first, again = scorer().score_all([p]), scorer().score_all([p])
>>> bool((first[0] == again[0]).all()), bool((scorer(seed=1).score_all([p])[0] == first[0]).any())
(True, False)
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plaudit.records import Preference, conversation_digest, digest
from plaudit.rewards.length import final_text


class Random:
    """Scores by hash: uniform in [0, 1), whatever the order and the neighbours."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.fingerprint = f"random-1-seed{seed}"

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        return [self._score(p) for p in preferences]

    def _score(self, preference: Preference) -> NDArray:
        prompt = conversation_digest(preference.prompt)
        drawn = [digest(str(self.seed), prompt, conversation_digest(r)) for r in preference.responses]
        return np.array([int(d[:13], 16) / 2**52 for d in drawn])

    def texts(self, preference: Preference) -> list[str]:
        """The final responses; prompt and earlier turns are hashed with them."""
        return [final_text(r) for r in preference.responses]


def scorer(*, seed: int = 0) -> Random:
    return Random(seed)
