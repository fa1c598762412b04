"""Preferences as columns over comparisons: the only thing that the pair losses ever see of a label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.records import Preference


@dataclass(frozen=True, slots=True)
class Comparisons:
    """One row per comparison, [P]. `preference` indexes the list given; `better` and `worse` its responses.

    `target`: probability that `better` wins. `margin` is subtracted from its score difference. `weight`: a
    preference's weight, split evenly over its comparisons. `carried`: preferences with a target, margin or weight
    of their own.
    """

    preference: NDArray[np.int64]
    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    target: NDArray[np.float64]
    margin: NDArray[np.float64]
    weight: NDArray[np.float64]
    carried: int = 0

    def __len__(self) -> int:
        return len(self.preference)


def carries_columns(preference: Preference) -> bool:
    """Whether a remedy has touched this preference: a target, a margin or a weight of its own."""
    return preference.target is not None or preference.margin != 0 or preference.weight != 1


def targets(preferences: Sequence[Preference], *, ignore_columns: bool = False) -> Comparisons:
    """The comparisons of every preference: one of a pair or a tied pair (target 1/2), one per ordered pair of a list.

    `ignore_columns` leaves out the preferences' own targets, margins and weights. Unjudged preferences give none.

    >>> from plaudit.records import group
    >>> c = targets([group("q", ("a", "b", "c"), (0, 1, 2)), group("q", ("a", "b"), (0, 0))])
    >>> c.better.tolist(), c.worse.tolist(), c.target.tolist(), c.weight.round(2).tolist()
    ([0, 0, 1, 0], [1, 2, 2, 1], [1.0, 1.0, 1.0, 0.5], [0.33, 0.33, 0.33, 1.0])
    """
    rows: list[tuple[int, int, int, float, float, float]] = []
    carried = 0
    for index, preference in enumerate(preferences):
        found = preference.comparisons()
        carried += carries_columns(preference)
        plain = 0.5 if preference.is_tie else 1.0
        target, margin, weight = plain, 0.0, 1.0
        if not ignore_columns:
            target = plain if preference.target is None else preference.target
            margin, weight = preference.margin, preference.weight
        rows += [(index, better, worse, target, margin, weight / len(found)) for better, worse in found]
    table = np.array(rows, np.float64).reshape(-1, 6).T
    whole = table[:3].astype(np.int64)
    return Comparisons(whole[0], whole[1], whole[2], table[3].copy(), table[4].copy(), table[5].copy(), carried)
