"""Influence as a search for wrong labels: would the loss on other prompts be lower without this comparison?

Every fold judges heads that never saw it. A row's `influence` is what one more unit of its weight share does to the
loss on a held-out fold, the mean over the folds it was not in: positive is harm.

How stiff the head is decides what this finds. At the best ridge a head has no use left for one direction more than
another: the slope of the loss on held-out rows, as noisy as the training rows, is mostly chance, and so is a row's
influence on it. A head held back by a large ridge still wants to go where most rows pull, and rows that pull the other
way stand out (both are measured in benchmarks/influence.json). So influence is taken from a stiff head of its own.
`trusted` rows as judges help where labels are wrong in one direction; under uniform noise they judge less well than
many noisy ones where the head learns well from these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from plaudit.auditing.influence import Head, Rows, curvature, effects, fit_head, judged, unit_scale
from plaudit.errors import PlauditError
from plaudit.training.heads import RIDGES, solve

STIFF = 3.0  # well above every ridge of RIDGES; stiffer heads find the same rows


@dataclass(frozen=True)
class Harm:
    """Columns over comparisons [P]: `influence` as above; `own`: how much the row, unseen, would change the head's mind
    about itself (self-influence, Koh & Liang 2017, out of fold); `margin` out of fold. `ridge`: of every fold's head.
    """

    influence: NDArray[np.float64]
    own: NDArray[np.float64]
    margin: NDArray[np.float64]
    ridge: tuple[float, ...]


def harm(
    rows: Rows, fold: NDArray[np.int64], *, trusted: Rows | None = None, stiff: float | None = STIFF,
    ridges: Sequence[float] = RIDGES,
) -> Harm:  # fmt: skip
    """Influence of every comparison on prompts that are not its own, one pair of linear heads a fold.

    Args: `fold` [P]: each prompt group wholly inside one. `trusted`: the loss on these rows is asked about instead of
    that on held-out ones; they share no prompt with `rows`. `stiff`: ridge of the head behind `influence`; None takes
    the ridge of the other head, which is the one of `ridges` that does best on the folds other than the one held out.

    Raises:
        PlauditError: fewer than two folds.
    """
    kinds = np.unique(fold)
    if len(kinds) < 2:
        raise PlauditError("influence on held-out prompts needs two folds or more")
    influence, own, margin = (np.zeros(len(rows)) for _ in range(3))
    chosen = []
    for f in kinds:
        away, seen = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        inner, held = rows.take(seen), rows.take(away)
        scale = unit_scale(inner.x)
        chosen.append(pick_ridge(inner, fold[seen], ridges, scale))
        head = fit_head(inner, chosen[-1], scale=scale)
        own[away], margin[away] = _own(head, inner, held), head.margins(held)
        judges = held if trusted is None else trusted
        held_back = head if stiff is None else fit_head(inner, stiff, scale=scale)
        moved = effects(held_back, inner, judged(held_back, judges, np.zeros(len(judges)))).effect[0]
        share = inner.weight / inner.weight.sum()
        influence[seen] += moved / np.where(share > 0, share, np.inf) / (len(kinds) - 1)
    return Harm(influence, own, margin, tuple(chosen))


def _own(head: Head, inner: Rows, held: Rows) -> NDArray[np.float64]:
    """grad l_i' H^-1 grad l_i of rows that the head has not seen."""
    x = held.x / head.scale
    found: NDArray[np.float64] = (x * cho_solve(cho_factor(curvature(head, inner)), x.T).T).sum(1)
    return head.misses(held) ** 2 * found


def pick_ridge(rows: Rows, fold: NDArray[np.int64], ridges: Sequence[float], scale: NDArray[np.float64]) -> float:
    """The ridge whose log loss is lowest over the folds, each held out in turn; the middle one with a single fold."""
    kinds = np.unique(fold)
    if len(kinds) < 2:
        return float(ridges[len(ridges) // 2])
    x = torch.from_numpy((rows.x / scale).astype(np.float32))
    target, margin = torch.from_numpy(rows.target).float(), torch.from_numpy(rows.margin).float()
    seen = np.stack([rows.weight * (fold != f) for f in kinds], 1).astype(np.float32)  # [P, F]
    columns = torch.from_numpy(np.repeat(seen, len(ridges), 1))
    heads = solve(x, columns, target, torch.tensor(list(ridges) * len(kinds)), margin=margin)
    gap = (x @ heads - margin[:, None]).double().numpy().reshape(len(rows), len(kinds), len(ridges))
    loss = np.logaddexp(0, gap) - rows.target[:, None, None] * gap
    held = np.stack([rows.weight * (fold == f) for f in kinds], 1)
    return float(ridges[int((held[:, :, None] * loss).sum((0, 1)).argmin())])
