"""What each training comparison does to the loss on other comparisons: influence functions, exact for linear heads.

A linear head w stands at the minimum of  sum_i s_i l_i(w) + ridge |w|^2 / 2,  s_i = weight_i / sum of weights, features
scaled to unit mean square. Counting row i 1 + e_i times moves the minimum by -H^-1 s_i (grad l_i + ridge w) e_i, with
H = X' diag(s l'') X + ridge (of the logistic loss l'' = p (1 - p)), so the loss of a validation group g moves by
S[g, i] e_i,

    S[g, i] = -s_i grad L_g' H^-1 (grad l_i + ridge w).

Koh & Liang 2017 (arXiv 1703.04730); FairIF (arXiv 2201.05759). They hold the sum of weights fixed at n, which leaves
out the term ridge w; plaudit divides by the weights it is given, everywhere, so the term belongs here. H is factored,
not approximated: for a head at its optimum S is the exact derivative. For anything else see `influence_curved`.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from plaudit.errors import PlauditError
from plaudit.metrics.disparity import by_group
from plaudit.signals.price import sigmoid
from plaudit.training.bags import Pairs
from plaudit.training.solve import solve

Loss = Literal["logistic", "squared"]


@dataclass(frozen=True)
class Rows:
    """Comparisons as a linear head sees them: feature differences `x` [P, H], `target`, `weight`, `margin` [P].

    There is no column for groups: what is computed from training rows cannot have read theirs.
    """

    x: NDArray[np.float64]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    margin: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: NDArray) -> "Rows":
        """Some of the rows, by index or mask."""
        return Rows(self.x[which], self.target[which], self.weight[which], self.margin[which])

    def weighing(self, weight: NDArray[np.float64]) -> "Rows":
        """The same rows with these weights."""
        return replace(self, weight=weight)


@dataclass(frozen=True)
class Head:
    """A linear head at its optimum: `w` [H] on features divided by `scale` [H], and the ridge it was solved with.

    `kind`: the loss of a row, logistic in the margin, or half the squared distance of the margin from `target` (then a
    difference in ratings).
    """

    w: NDArray[np.float64]
    scale: NDArray[np.float64]
    ridge: float
    kind: Loss = "logistic"

    def margins(self, rows: Rows) -> NDArray[np.float64]:
        """Score difference less the margin asked for [P]."""
        return rows.x @ (self.w / self.scale) - rows.margin

    def losses(self, rows: Rows) -> NDArray[np.float64]:
        """Loss of every row [P]."""
        gap = self.margins(rows)
        if self.kind == "squared":
            return 0.5 * (gap - rows.target) ** 2
        return np.logaddexp(0, gap) - rows.target * gap

    def misses(self, rows: Rows) -> NDArray[np.float64]:
        """Derivative of every row's loss by its margin [P]."""
        gap = self.margins(rows)
        return (gap if self.kind == "squared" else sigmoid(gap)) - rows.target

    def bends(self, rows: Rows) -> NDArray[np.float64]:
        """Second derivative [P]."""
        if self.kind == "squared":
            return np.ones(len(rows))
        chance = sigmoid(self.margins(rows))
        return chance * (1 - chance)


class Judged(NamedTuple):
    """Validation groups: `names` [G], row `code` [V] (-1: left out), mean `loss` [G], its `slope` in w [G, H]."""

    names: tuple[str, ...]
    code: NDArray[np.int64]
    loss: NDArray[np.float64]
    slope: NDArray[np.float64]


class Effects(NamedTuple):
    """S [G, P]: how the mean loss of group g moves per unit of extra weight share on training row i; see above."""

    names: tuple[str, ...]
    loss: NDArray[np.float64]
    effect: NDArray[np.float64]


def rows_of(features: NDArray, pairs: Pairs, *, margin: NDArray[np.float64] | None = None) -> Rows:
    """Comparisons of responses whose features are [N, H]; the prompt groups stay behind.

    Raises:
        PlauditError: a feature is not a finite number; the comparison is named.
    """
    x = features[pairs.better].astype(np.float64) - features[pairs.worse]
    bad = ~np.isfinite(x).all(1)
    if bad.any():
        raise PlauditError(f"comparison {int(np.flatnonzero(bad)[0])}: a feature is not a finite number")
    return Rows(x, pairs.target, pairs.weight, np.zeros(len(x)) if margin is None else margin)


def fit_head(
    rows: Rows, ridge: float, *, scale: NDArray[np.float64] | None = None, start: Head | None = None,
    kind: Loss = "logistic",
) -> Head:  # fmt: skip
    """The head at the optimum of its ridge-penalised loss, to rounding; with `start` its scale and loss are kept.

    `solve` of training.heads comes near (or `start`, a head of much the same rows, is near); exact Newton steps with a
    factored H take it to a gradient of about 1e-14. The scale does not depend on weights, so heads fitted with other
    weights minimise comparable objectives.

    Raises:
        PlauditError: no row has weight, or the ridge is not positive.
    """
    if not rows.weight.sum() > 0 or not ridge > 0:
        raise PlauditError("influence needs training rows with weight and a positive ridge")
    if start is not None:
        head = _polished(replace(start, ridge=ridge), rows)
        if np.abs(_slope(head, rows)).max(initial=0) < 1e-9:
            return head
        scale, kind = start.scale, start.kind  # bare Newton steps ran away: begin where they cannot
    if scale is None:
        scale = unit_scale(rows.x)
    if kind == "squared":
        return _polished(Head(np.zeros(len(scale)), scale, ridge, kind), rows)
    x = torch.from_numpy(rows.x / scale)
    column = torch.from_numpy(np.asarray(rows.weight, np.float64))[:, None]
    target, margin = torch.from_numpy(rows.target), torch.from_numpy(rows.margin)
    w = solve(x, column, target, torch.tensor([ridge], dtype=x.dtype), margin=margin, tolerance=1e-6)[:, 0]
    return _polished(Head(w.numpy(), scale, ridge), rows)


def _polished(head: Head, rows: Rows, steps: int = 20) -> Head:
    for _ in range(steps):
        step = cho_solve(cho_factor(curvature(head, rows)), _slope(head, rows))
        head = replace(head, w=head.w - step)
        if np.abs(step).max(initial=0) <= 1e-13 * (1 + np.abs(head.w).max(initial=0)):
            break
    return head


def _slope(head: Head, rows: Rows) -> NDArray[np.float64]:
    """Gradient of the training objective [H]."""
    found: NDArray[np.float64] = _pull(head, rows).sum(0) + head.ridge * head.w
    return found


def unit_scale(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square of every feature difference [H]; 1 for a feature that never differs."""
    size = np.sqrt((x**2).mean(0)) if len(x) else np.zeros(x.shape[1])
    return np.where(size > 1e-6 * size.max(initial=1e-30), size, 1.0)


def curvature(head: Head, rows: Rows) -> NDArray[np.float64]:
    """H [H, H] of the training objective, ridge included."""
    x = rows.x / head.scale
    found: NDArray[np.float64] = (x * (_share(rows) * head.bends(rows))[:, None]).T @ x
    return found + head.ridge * np.eye(x.shape[1])


def _share(rows: Rows) -> NDArray[np.float64]:
    return rows.weight / rows.weight.sum()


def _pull(head: Head, rows: Rows) -> NDArray[np.float64]:
    """s_i grad l_i of every training row [P, H]."""
    return (_share(rows) * head.misses(rows))[:, None] * (rows.x / head.scale)


def judged(head: Head, judge: Rows, kind: NDArray, *, fewest: int = 1) -> Judged:
    """Validation rows split by `kind` [V] (names of groups); groups of fewer than `fewest` rows are left out, and rows
    of no group (""): who does not say where he belongs is no group of his own.
    """
    names, code, count = np.unique(np.asarray(kind).astype(object), return_inverse=True, return_counts=True)
    kept = np.flatnonzero((count >= fewest) & (names != ""))
    renumber = np.full(len(names), -1)
    renumber[kept] = np.arange(len(kept))
    code = renumber[code.reshape(-1)]
    loss = by_group(head.losses(judge), code, len(kept))
    each = head.misses(judge)[:, None] * (judge.x / head.scale)  # [V, H]
    slope = np.stack([each[code == g].mean(0) for g in range(len(kept))]) if len(kept) else np.zeros((0, len(head.w)))
    return Judged(tuple(str(n) for n in names[kept]), code, loss, slope)


def effects(head: Head, rows: Rows, seen: Judged) -> Effects:
    """S of every training row on every validation group, by the formula above."""
    way = cho_solve(cho_factor(curvature(head, rows)), seen.slope.T)  # [H, G]
    move = _pull(head, rows) @ way + head.ridge * _share(rows)[:, None] * (head.w @ way)
    return Effects(seen.names, seen.loss, -move.T)


def left_out(head: Head, rows: Rows, seen: Judged) -> NDArray[np.float64]:
    """How each group's loss would move if a row were taken out altogether [G, P]: one Newton step without it.

    -S[g, i] / (1 - s_i l_i'' x_i' H^-1 x_i): the row no longer holds the curvature up either (Sherman &
    Morrison). It is closer than -S where a row stands alone in its direction.
    """
    held = _share(rows) * head.bends(rows) * leverage(head, rows)
    return -effects(head, rows, seen).effect / (1 - held)


def leverage(head: Head, rows: Rows) -> NDArray[np.float64]:
    """x_i' H^-1 x_i [P]."""
    x = rows.x / head.scale
    found: NDArray[np.float64] = (x * cho_solve(cho_factor(curvature(head, rows)), x.T).T).sum(1)
    return found


def self_influence(head: Head, rows: Rows) -> NDArray[np.float64]:
    """grad l_i' H^-1 s_i grad l_i [P]: how much a row's own loss would rise without it, to first order.

    Large for rows that the head had to learn by heart: rare ones and wrong ones alike.
    """
    return _share(rows) * head.misses(rows) ** 2 * leverage(head, rows)


class Agreement(NamedTuple):
    """Predicted against realised changes [G, n] of some rows: rank correlation, and slope of realised on predicted."""

    correlation: float
    slope: float
    predicted: NDArray[np.float64]
    realised: NDArray[np.float64]


def agreement(predicted: NDArray[np.float64], realised: NDArray[np.float64]) -> Agreement:
    """How well predictions hold: look at it (20 rows do) before any weight made of influences is trusted.

    >>> agreement(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.5]])).correlation
    1.0
    """
    from scipy.stats import spearmanr

    p, r = np.ravel(predicted), np.ravel(realised)
    found: Any = spearmanr(p, r)
    slope = float(p @ r / (p @ p)) if (p @ p) > 0 else float("nan")
    return Agreement(float(found.statistic), slope, predicted, realised)


def leave_out_check(
    head: Head, rows: Rows, judge: Rows, kind: NDArray, which: NDArray[np.int64], *, fewest: int = 1
) -> Agreement:
    """Train again without each of the rows `which`, and hold what happens against `left_out`."""
    seen = judged(head, judge, kind, fewest=fewest)
    realised = []
    for i in which:
        weight = rows.weight.copy()
        weight[i] = 0
        again = fit_head(rows.weighing(weight), head.ridge, start=head)
        realised.append(by_group(again.losses(judge), seen.code, len(seen.names)) - seen.loss)
    return agreement(left_out(head, rows, seen)[:, which], np.array(realised).T)
