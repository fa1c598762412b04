"""Is each file better learned by itself? Files that ask for opposite things cancel each other in one head.

HH's helpful and harmless parts are such files: one committee on both finds hardly any wrong label, one on each finds
them (`benchmarks/mixture.py`). So the members learn both ways, and agreement with labels out of fold decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.metrics.intervals import difference_interval
from plaudit.models.members import Fitted, Member
from plaudit.training.bags import Pairs
from plaudit.training.heads import fit

FEWEST, PROMPTS, MOST = 200, 50, 20  # comparisons and prompts of a part that is learned by itself; parts that are tried
Views = Callable[[int], NDArray[np.float32]]


def parts_of(kind: NDArray, group: NDArray, fold: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """The rows [P] of every part that could be learned by itself, by name; none where nothing can be compared.

    That takes two parts of `FEWEST` comparisons and `PROMPTS` prompts, every fold in each, at most `MOST` parts, and
    votes out of fold. Rows whose name is empty are of no part.

    >>> kind, rows = np.repeat(["a", "b", "c"], [300, 300, 9]), np.arange(609)
    >>> {name: int(own.sum()) for name, own in parts_of(kind, rows, rows % 5).items()}
    {'a': 300, 'b': 300}
    """
    folds = set(fold.tolist())
    if len(folds) < 2 or len(np.unique(kind)) < 2:
        return {}
    found = {}
    for name in np.unique(kind).tolist():
        own = kind == name
        enough = own.sum() >= FEWEST and len(np.unique(group[own])) >= PROMPTS and set(fold[own].tolist()) == folds
        if name and enough:
            found[str(name)] = own
    return found if 2 <= len(found) <= MOST else {}


def learn_apart(
    views: Views, pairs: Pairs, fold: NDArray[np.int64], members: Sequence[Member],
    parts: dict[str, NDArray[np.bool_]], together: NDArray[np.float64],
) -> tuple[NDArray[np.float64], list[Fitted]]:  # fmt: skip
    """Votes [P, K] of members that learned from their own part only, and what they learned, a head a part and fold.

    Rows of no part keep the votes of those that learned from all rows (`together`).
    """
    margins = together.copy()
    found: list[list[Fitted]] = []
    for own in parts.values():
        some = replace(pairs, **{name: getattr(pairs, name)[own] for name in pairs.__dataclass_fields__})
        margins[own], fitted = fit(views, some, fold[own], members)
        found.append(fitted)
    return margins, [_joined(own) for own in zip(*found, strict=True)]


def _joined(heads: Sequence[Fitted]) -> Fitted:
    """One member with the heads of all parts, as if each were a fold more."""
    weights = {name: np.concatenate([f.weights[name] for f in heads]) for name in heads[0].weights}
    ridge, loss = (np.concatenate([getattr(f, name) for f in heads]) for name in ("ridge", "bag_loss"))
    return Fitted(heads[0].member, weights, ridge, loss)


def compared(
    together: NDArray[np.float64], apart: NDArray[np.float64], pairs: Pairs, parts: dict[str, NDArray[np.bool_]]
) -> dict[str, Any]:
    """Shares of labels that both kinds of votes [P, K] agree with, over the rows of the parts, ties left out.

    `ahead`: apart minus together, with its 95 % interval over prompts; `parts`: the two shares of every part.
    """
    strict = pairs.target != 0.5
    told = np.logical_or.reduce(list(parts.values())) & strict
    right = [_credit(votes.mean(1)) for votes in (together, apart)]
    gap = difference_interval(right[1][told], right[0][told], pairs.group[told])

    def shares(rows: NDArray[np.bool_]) -> dict[str, float | None]:
        return {way: float(r[rows].mean()) if rows.any() else None
                for way, r in zip(("together", "apart"), right, strict=True)}  # fmt: skip

    first, second = (float(r[told].mean()) for r in right) if told.any() else (0.5, 0.5)
    return {
        "together": first, "apart": second, "ahead": second - first, "low": gap.low, "high": gap.high,
        "parts": {name: shares(own & strict) for name, own in parts.items()},
    }  # fmt: skip


def _credit(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where the vote is with the label, 1/2 where it is even."""
    return (margin > 0) + 0.5 * (margin == 0)
