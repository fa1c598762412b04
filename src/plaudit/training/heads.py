"""Many heads at once on frozen features: every fold and member of a committee in the same matrix products.

A linear head is solved to the optimum of its ridge-penalised logistic loss: the one stop rule is that optimum, and the
ridge is the one of `RIDGES` whose out-of-bag loss is lowest, chosen apart for every fold and view. So no head is left
at a point that depends on step size or order, and influence functions of it are exact. Members differ by their view of
the features and by their bootstrap over prompt groups. An MLP head is trained by AdamW in its own order and stops at
its own best out-of-bag loss. Heads that memorise cannot vote on labels: rows out of their bag decide.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit.models.members import Fitted, Member
from plaudit.training.bags import Pairs, bootstrap, log_loss
from plaudit.training.mlp_heads import fit_mlp

RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # per row, with features scaled to unit mean square


def fit(
    views: Callable[[int], NDArray[np.float32]], pairs: Pairs, fold: NDArray[np.int64], members: Sequence[Member], *,
    in_sample: bool = False, ridges: Sequence[float] = RIDGES, advance=None,
) -> tuple[NDArray[np.float64], list[Fitted]]:  # fmt: skip
    """Margins of every comparison by every member, out of fold: [P, K]; and what the members learned.

    `views`: the features [N, H] of all responses in a view, by its number; one is held at a time. With `in_sample`
    there is one fold, every member sees every row without a bootstrap, and votes on what it saw (the paper's way).
    Ties train at target 1/2.
    """
    held = [np.ones(len(pairs), bool)] if in_sample else [fold == f for f in np.unique(fold)]
    seen = [np.ones(len(pairs), bool)] if in_sample else [~h for h in held]
    margins = np.zeros((len(pairs), len(members)))
    found: list[Fitted | None] = [None] * len(members)
    for view in sorted({m.view for m in members}):
        features = views(view)
        differences = torch.from_numpy(features[pairs.better] - features[pairs.worse])  # [P, H]
        for kind in ("linear", "mlp"):
            here = [k for k, m in enumerate(members) if m.view == view and m.kind == kind]
            if not here:
                continue
            crew = [members[k] for k in here]
            if kind == "linear":
                fitted = _linear(differences, pairs, seen, held, crew, in_sample, ridges)
            else:
                fitted = fit_mlp(features, pairs, seen, held, crew, in_sample)
            for k, one in zip(here, fitted, strict=True):
                found[k] = one
                margins[:, k] = _votes(one, features, differences, pairs, held)
            if advance:
                advance(len(here))
    return margins, [f for f in found if f is not None]


def _votes(one: Fitted, view: NDArray, differences: Tensor, pairs: Pairs, held: Sequence[NDArray]) -> NDArray:
    out = np.zeros(len(pairs))
    if one.member.kind == "linear":
        all_folds = (differences @ torch.from_numpy(one.weights["w"].T.copy())).numpy()  # [P, F]
        for f, rows in enumerate(held):
            out[rows] = all_folds[rows, f]
        return out
    scores = one.scores(view)  # [F, N]
    for f, rows in enumerate(held):
        out[rows] = scores[f, pairs.better[rows]] - scores[f, pairs.worse[rows]]
    return out


def _linear(
    differences: Tensor, pairs: Pairs, seen: Sequence[NDArray], held: Sequence[NDArray], crew: Sequence[Member],
    in_sample: bool, ridges: Sequence[float],
) -> list[Fitted]:  # fmt: skip
    """All folds, members and ridges of one view in the same products."""
    bags = [np.ones(len(pairs)) if in_sample else bootstrap(pairs.group, m.seed) for m in crew]
    target = torch.from_numpy(pairs.target.astype(np.float32))
    out: list[tuple[list, list, list]] = [([], [], []) for _ in crew]
    for rows, others in zip(seen, held, strict=True):
        scale = _scale(differences[torch.from_numpy(rows)])
        scaled = differences / scale
        columns = np.stack([pairs.weight * bag * rows for bag in bags for _ in ridges], 1)  # [P, members x ridges]
        ridge = np.tile(np.asarray(ridges), len(crew))
        heads = solve(scaled, torch.from_numpy(columns.astype(np.float32)), target, torch.from_numpy(ridge).float())
        loss = _out_of_bag(scaled @ heads, pairs, rows, bags, len(ridges), in_sample)  # [members, ridges]
        best = int(loss.mean(0).argmin())  # one ridge for all members of a view and fold
        for k in range(len(crew)):
            w = heads[:, k * len(ridges) + best] / scale
            size = float((differences[torch.from_numpy(others)] @ w).square().mean().sqrt()) if others.any() else 1.0
            out[k][0].append((w / (size or 1.0)).numpy())
            out[k][1].append(float(ridges[best]))
            out[k][2].append(float(loss[k, best]))
    return [
        Fitted(m, {"w": np.stack(w).astype(np.float32)}, np.array(r), np.array(b))
        for m, (w, r, b) in zip(crew, out, strict=True)
    ]


def _scale(differences: Tensor) -> Tensor:
    """Root mean square of every feature difference [H]; 1 for a feature that never differs."""
    size = differences.square().mean(0).sqrt() if len(differences) else torch.zeros(differences.shape[1])
    return torch.where(size > 1e-6 * size.max().clamp_min(1e-30), size, torch.ones_like(size))


def _out_of_bag(
    margins: Tensor, pairs: Pairs, rows: NDArray, bags: Sequence[NDArray], ridges: int, in_sample: bool
) -> NDArray[np.float64]:
    """Log loss of every member and ridge on the rows of its folds that its bootstrap left out [members, ridges].

    In-sample members have no such rows: the paper's way is kept, a fixed ridge in the middle is taken.
    """
    if in_sample:
        flat = np.ones((len(bags), ridges))
        flat[:, ridges // 2] = 0
        return flat
    values = margins.numpy().reshape(len(pairs), len(bags), ridges)
    out = np.zeros((len(bags), ridges))
    for k, bag in enumerate(bags):
        left = rows & (bag == 0)
        out[k] = np.nan_to_num(log_loss(values[left, k], pairs.target[left], pairs.weight[left]))
    return out


def solve(
    x: Tensor, weight: Tensor, target: Tensor, ridge: Tensor, *, margin: Tensor | None = None, steps: int = 30,
    tolerance: float = 1e-4,
) -> Tensor:  # fmt: skip
    """Ridge-penalised logistic heads through the origin, many at once: [H, G].

    Column g minimises  sum_p weight[p, g] l(x[p] . w - margin[p], target[p]) / sum_p weight[p, g] + ridge[g] |w|^2 / 2
    by Newton steps whose linear systems are solved by conjugate gradients, all columns in the same products; a step
    that does not lower a column's loss is halved. `tolerance` is on the gradient relative to the one at w = 0.

    Args: x [P, H], weight [P, G], target [P], ridge [G], margin [P] (none: 0).
    """
    share = weight / weight.sum(0).clamp_min(1e-30)  # [P, G]
    offset = torch.zeros(len(x), dtype=x.dtype) if margin is None else margin.to(x.dtype)

    def value_of(heads: Tensor) -> Tensor:
        gap = x @ heads - offset[:, None]
        fit = (share * (torch.nn.functional.softplus(gap) - target[:, None] * gap)).sum(0)
        return fit + 0.5 * ridge * heads.square().sum(0)

    heads = torch.zeros(x.shape[1], weight.shape[1], dtype=x.dtype)
    first: Tensor | None = None
    value = value_of(heads)
    for _ in range(steps):
        chance = torch.sigmoid(x @ heads - offset[:, None])  # [P, G]
        gradient = x.T @ (share * (chance - target[:, None])) + ridge * heads
        size = gradient.norm(dim=0)
        first = size.clamp_min(1e-30) if first is None else first
        live = size > tolerance * first
        if not live.any():
            break
        curve = share * chance * (1 - chance)
        move = _conjugate(x, curve, ridge, gradient, live)
        heads, value, moved = _descend(value_of, heads, value, move, live)
        if not moved:
            break
    return heads


def _conjugate(x: Tensor, curve: Tensor, ridge: Tensor, gradient: Tensor, live: Tensor, limit: int = 60) -> Tensor:
    """Solve (X' diag(curve_g) X + ridge_g) move_g = gradient_g for every live column [H, G]."""
    move = torch.zeros_like(gradient)
    left = gradient * live
    way = left.clone()
    size = left.square().sum(0)
    goal = 1e-4 * size  # an inexact Newton step: 1e-2 of the gradient is enough
    for _ in range(limit):
        ahead = x.T @ (curve * (x @ way)) + ridge * way
        length = size / (way * ahead).sum(0).clamp_min(1e-30)
        length = torch.where(size > goal, length, torch.zeros_like(length))
        move = move + length * way
        left = left - length * ahead
        fresh = left.square().sum(0)
        if not (fresh > goal).any():
            break
        way = left + torch.where(size > goal, fresh / size.clamp_min(1e-30), torch.zeros_like(size)) * way
        size = fresh
    return move


def _descend(
    value_of: Callable[[Tensor], Tensor], heads: Tensor, value: Tensor, move: Tensor, live: Tensor
) -> tuple[Tensor, Tensor, bool]:
    """Take the Newton step in every live column, halved until its loss falls; whether any column moved."""
    length = live.to(heads.dtype)
    for _ in range(12):
        trial = heads - length * move
        fresh = value_of(trial)
        worse = (fresh > value) & (length > 0)
        if not worse.any():
            return trial, fresh, bool((length > 0).any())
        length = torch.where(worse, length / 2, length)
    length = torch.where(worse, torch.zeros_like(length), length)
    trial = heads - length * move
    return trial, value_of(trial), bool((length > 0).any())
