"""Do what a person decided: keep, flip, tie or drop; rows that nobody decided stay as they are."""

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import PlauditError
from plaudit.signals.targets import Targets

DECISIONS = ("", "keep", "flip", "tie", "drop")


def treat(decision: NDArray, label: NDArray, target: NDArray, margin: NDArray, weight: NDArray) -> Targets:
    """`decision` [P] strings; `label` as the rows came, 1/2 of a tie. A decided row loses what earlier treatments
    did to it: a person goes before a model.

    >>> one = np.ones(3)
    >>> treat(np.array(["flip", "tie", ""]), one, one, one, one).target.tolist()
    [0.0, 0.5, 1.0]
    """
    unknown = sorted(set(decision.tolist()) - set(DECISIONS))
    if unknown:
        raise PlauditError(f"unknown decision {unknown[0]!r}", advice="decisions are keep, flip, tie and drop")
    decided = decision != ""
    won = np.select([decision == "flip", decision == "tie", decided], [1 - label, 0.5, label], target)
    counted = np.select([decision == "drop", decided], [0.0, 1.0], weight)
    return Targets(won, np.where(decided, 0.0, margin), counted)
