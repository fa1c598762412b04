"""Votes of a committee and the signals made of them: one row per comparison, columns by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import PlauditError

VERDICTS = ("wrong", "ambiguous", "normal", "strong")


@dataclass(frozen=True)
class Votes:
    """What every member says of every comparison.

    `margins_PK` [P, K]: score of the better response minus that of the worse, one column a member; members are brought
    to one scale beforehand. `fold` [P]: which held-out fold a comparison lay in; -1 when the members saw it.
    `target` [P]: the label as it came, 1 for a win and 1/2 for a tie. `names` [K]: what each member is.
    """

    margins_PK: NDArray[np.float64]
    fold: NDArray[np.int64]
    target: NDArray[np.float64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.margins_PK.ndim != 2 or self.margins_PK.shape[1] != len(self.names) or not self.names:
            raise ValueError("votes need one name per column of margins, and at least one")
        if not len(self.fold) == len(self.target) == len(self.margins_PK):
            raise ValueError("margins, fold and target must have one row per comparison")
        bad = ~np.isfinite(self.margins_PK).all(1)
        if bad.any():
            raise PlauditError(f"comparison {int(np.flatnonzero(bad)[0])}: a member's vote is not a finite number")

    def __len__(self) -> int:
        return len(self.margins_PK)


@dataclass(frozen=True)
class Signals(Mapping[str, NDArray]):
    """Columns over comparisons [P], by name; `facts` are the numbers that hold for all of them.

    >>> s = Signals({"mean": np.array([1.0, -2.0])}, {"temperature": [1.0]})
    >>> s["mean"].tolist(), len(s), s.rows
    ([1.0, -2.0], 1, 2)
    """

    columns: Mapping[str, NDArray]
    facts: Mapping[str, object]

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns.values()}) > 1:
            raise ValueError("every column must have one value per comparison")

    @property
    def rows(self) -> int:
        """How many comparisons."""
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def having(self, **columns: NDArray) -> "Signals":
        """The same with these columns added or replaced."""
        return Signals({**self.columns, **columns}, self.facts)


def likeness(votes: Votes) -> NDArray[np.float64]:
    """How alike members vote: correlation of their margins, both signs of every comparison counted, [K, K].

    About zero rather than about the mean: which response is called better is only the label's choice.

    >>> v = Votes(np.array([[1.0, 2.0], [-1.0, -2.0]]), np.zeros(2, int), np.ones(2), ("a", "b"))
    >>> likeness(v).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    size = np.sqrt((votes.margins_PK**2).sum(0))
    unit = votes.margins_PK / np.where(size > 0, size, 1)
    return np.clip(unit.T @ unit, -1, 1)
