"""Influence as columns of an audit: one value a comparison, out of fold, from one view of the features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.influence import Rows, rows_of
from plaudit.auditing.influence_fair import FEWEST, cross_fitted
from plaudit.auditing.influence_noise import harm
from plaudit.training.bags import Pairs
from plaudit.training.heads import RIDGES


def columns(
    features: NDArray[np.float32], pairs: Pairs, fold: NDArray[np.int64], *, kind: NDArray | None = None,
    trusted: Rows | None = None, penalty: float = 1.0, largest: float = 2.0, fewest: int = FEWEST,
    ridges: Sequence[float] = RIDGES,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """`influence`, `self_influence` and, with groups, `fair_weight` [P].

    Args: `features` [N, H] of all responses in one view; `fold` [P] as in the committee's vote; `kind` [P]: groups
    whose loss FairIF evens out; `trusted`: rows to ask about instead of the held-out ones.

    `influence`: what one more unit of this row's weight share does to the loss on other prompts; positive is harm.
    `self_influence`: how much the row, unseen, would change the head's mind about itself. `fair_weight`: see
    `influence_fair.crossed`; the treatment `fairif` multiplies it into the weights.

    Raises:
        PlauditError: fewer than two folds, or fewer than two groups with enough rows in a fold.
    """
    rows = rows_of(features, pairs)
    found = harm(rows, fold, trusted=trusted, ridges=ridges)
    out = {"influence": found.influence, "self_influence": found.own}
    if kind is not None:
        out["fair_weight"] = cross_fitted(
            rows, kind, fold, penalty=penalty, largest=largest, fewest=fewest, ridges=ridges
        )
    return out
