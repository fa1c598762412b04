"""Influence as a search for wrong labels: would the loss on other prompts be lower without this comparison?

Every fold is judged by a head that never saw it. `adding`: what a row would do to the loss on the REST of its fold
(other prompts) if it were added to what that head learned from; row and judges are both unseen, as in the committee's
vote. `removing`: what a training row does to the loss on the held-out fold, the mean over the folds it was not in;
the head has seen the row and bends towards it. Both are per unit of weight share, positive where the row does harm.
`own`: how much a row, if added, would change the head's mind about itself (Koh & Liang 2017, self-influence, here out
of fold).

Know what this can find. At its optimum a head has no use for one direction more than another, so the slope of the loss
on held-out rows AS NOISY as the training rows is mostly chance, and so is a row's influence on it. Judges that are
cleaner than the training rows have a slope that points where the noise has pulled the head away from. So give `trusted`
rows where you have any; without them the committee's vote is the better search (benchmarks/influence.py).
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


@dataclass(frozen=True)
class Harm:
    """Columns over comparisons [P]: `adding` and `removing` as above, `own`, and the `margin` out of fold."""

    adding: NDArray[np.float64]
    removing: NDArray[np.float64]
    own: NDArray[np.float64]
    margin: NDArray[np.float64]
    ridge: tuple[float, ...]


def harm(
    rows: Rows, group: NDArray, fold: NDArray[np.int64], *, trusted: Rows | None = None,
    ridges: Sequence[float] = RIDGES,
) -> Harm:  # fmt: skip
    """Influence of every comparison on prompts that are not its own, one linear head a fold.

    `group` [P]: prompt groups, each wholly inside one fold. `trusted`: the loss on these rows is asked about instead of
    that on held-out ones; they share no prompt with `rows`. The ridge of a fold is the one of `ridges` that does best
    on the other folds, each held out in turn: the fold itself has no say.

    Raises:
        PlauditError: fewer than two folds.
    """
    kinds = np.unique(fold)
    if len(kinds) < 2:
        raise PlauditError("influence on held-out prompts needs two folds or more")
    n = len(rows)
    adding, removing, own, margin = (np.zeros(n) for _ in range(4))
    chosen = []
    for f in kinds:
        away, seen = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        inner, held = rows.take(seen), rows.take(away)
        scale = unit_scale(inner.x)
        ridge = pick_ridge(inner, fold[seen], ridges, scale)
        head = fit_head(inner, ridge, scale=scale)
        chosen.append(ridge)
        adding[away], own[away] = _adding(head, inner, held, group[away], trusted)
        margin[away] = head.margins(held)
        judges = held if trusted is None else trusted
        on_held = judged(head, judges, np.zeros(len(judges)))
        share = inner.weight / inner.weight.sum()
        each = effects(head, inner, on_held).effect[0] / np.where(share > 0, share, np.inf)
        removing[seen] += each / (len(kinds) - 1)
    return Harm(adding, removing, own, margin, tuple(chosen))


def _adding(
    head: Head, inner: Rows, held: Rows, group: NDArray, trusted: Rows | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each held-out row, added, would do to the judges' mean loss, and to its own [rows held out]."""
    x = held.x / head.scale
    wrong = head.misses(held)
    solved = cho_solve(cho_factor(curvature(head, inner)), x.T).T  # [rows, H]
    own = wrong**2 * (solved * x).sum(1)
    if trusted is not None:
        slope = judged(head, trusted, np.zeros(len(trusted))).slope[0]
        return -wrong * (solved @ slope), own
    each = (held.weight * wrong)[:, None] * x
    kinds, code = np.unique(group, return_inverse=True)
    code = code.reshape(-1)
    prompt = np.zeros((len(kinds), x.shape[1]))
    np.add.at(prompt, code, each)
    weight = np.bincount(code, weights=held.weight)
    others = np.maximum(weight.sum() - weight[code], 1e-30)
    return -wrong * (solved * (each.sum(0) - prompt[code])).sum(1) / others, own


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
