"""Solutions judged step by step, in one pass: how many steps, where the first error stands, what repeats."""

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaudit.data.split import text_digest
from plaudit.records import Steps

_PARTS = (0.05, 0.5, 0.95, 1.0)


@dataclass(slots=True)
class Solutions:
    """What was seen of the solutions of one file; 40 bytes each.

    `first`: place of the first wrong step from 1, 0 where no step is wrong.
    """

    digest: array = field(default_factory=lambda: array("Q"))
    problem: array = field(default_factory=lambda: array("Q"))
    steps: array = field(default_factory=lambda: array("I"))
    chars: array = field(default_factory=lambda: array("I"))
    first: array = field(default_factory=lambda: array("I"))
    unjudged: int = 0

    def add(self, record: Steps) -> None:
        """Count one solution.

        >>> from plaudit.records import message
        >>> seen = Solutions()
        >>> seen.add(Steps("x", (message("user", "2+2?"),), ("2+2 is 4", "so 5"), (True, False)))
        >>> found = seen.summary()
        >>> found["solutions"], found["steps"]["median"], found["without_error"], found["first_error"]["median"]
        (1, 2, 0.0, 2)
        """
        problem = "\0".join(turn.text for turn in record.prompt)
        self.problem.append(text_digest(problem))
        self.digest.append(text_digest("\0".join((problem, *record.steps))))
        self.steps.append(len(record.steps))
        self.chars.append(min(sum(map(len, record.steps)), 0xFFFFFFFF))
        self.first.append(next((i for i, label in enumerate(record.labels, 1) if label is False), 0))
        self.unjudged += record.labels.count(None)

    def summary(self) -> dict[str, Any] | None:
        """Counts, shares and quantiles; None where there is no solution. `without_error`: no step is called wrong."""
        if not self.steps:
            return None
        first = np.array(self.first)
        return {
            "solutions": len(self.steps), "problems": len(set(self.problem)),
            "repeats": len(self.digest) - len(set(self.digest)), "steps": _quantiles(np.array(self.steps)),
            "chars": _quantiles(np.array(self.chars)), "without_error": float((first == 0).mean()),
            "first_error": _quantiles(first[first > 0]), "steps_nobody_judged": self.unjudged,
        }  # fmt: skip


def _quantiles(values: np.ndarray) -> dict[str, int] | None:
    if not len(values):
        return None
    low, middle, high, most = np.quantile(values, _PARTS).round().astype(int).tolist()
    return {"5 %": low, "median": middle, "95 %": high, "most": most}
