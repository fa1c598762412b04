"""What a treatment decides: the three columns that every pair loss reads."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Targets:
    """Columns over comparisons [P], in the orientation the rows came in.

    `target`: probability that the better response as it came wins; a flip is target 0 on the old texts. `margin` is
    subtracted from the score difference, old orientation. `weight` multiplies the loss; 0 drops the row.
    """

    target: NDArray[np.float64]
    margin: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.target) == len(self.margin) == len(self.weight):
            raise ValueError("target, margin and weight must have one value per comparison")

    def __len__(self) -> int:
        return len(self.target)

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Rows whose texts must be swapped when they are written [P]."""
        return self.target < 0.5

    def having(self, **columns: NDArray) -> "Targets":
        """The same with these columns replaced."""
        return replace(self, **columns)


def unchanged(target: NDArray[np.float64]) -> Targets:
    """Targets before any treatment: the labels as they came, no margin, weight 1."""
    return Targets(np.asarray(target, np.float64), np.zeros(len(target)), np.ones(len(target)))


def turned(target: NDArray[np.float64]) -> NDArray[np.float64]:
    """+1 where a row stands as it came, -1 where earlier treatments flipped it [P]."""
    return np.where(target < 0.5, -1.0, 1.0)
