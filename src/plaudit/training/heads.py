"""Many heads at once on frozen features: every fold and member of a committee in the same matrix products.

A linear head is solved to the optimum of its ridge-penalised logistic loss: the one stop rule is that optimum, and the
ridge is the one of `RIDGES` whose out-of-bag loss is lowest, chosen apart for every fold and view. So no head is left
at a point that depends on step size or order, and influence functions of it are exact. Members differ by their view of
the features and by their bootstrap over prompt groups. An MLP head is trained by AdamW in its own order and stops at
its own best out-of-bag loss. Heads that memorise cannot vote on labels: rows out of their bag decide.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit.models.members import Fitted, Member
from plaudit.training.bags import Outside, Pairs, bag_of, log_loss
from plaudit.training.mlp_heads import fit_mlp
from plaudit.training.solve import principal, solve

LEAST = 0.003  # a smaller mean change of trust is not worth another round

RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # per row, with features scaled to unit mean square


def fit(
    views: Callable[[int], NDArray[np.float32]], pairs: Pairs, fold: NDArray[np.int64], members: Sequence[Member], *,
    in_sample: bool = False, rounds: int = 4, ridges: Sequence[float] = RIDGES, advance=None,
) -> tuple[NDArray[np.float64], list[Fitted]]:  # fmt: skip
    """Margins of every comparison by every member, out of fold: [P, K]; and what the members learned.

    `views`: the features [N, H] of all responses in a view, by its number; one is held at a time. With `in_sample`
    there is one fold and every member votes on what it saw (the paper's way): all rows, weighed by draws of its own.
    Ties train at target 1/2. `rounds`: how often the members may learn again with less trust in the rows of their
    lesson that those of them whose bag left a row out believe to be wrong; none where no labels seem wrong.
    """
    held = [np.ones(len(pairs), bool)] if in_sample else [fold == f for f in np.unique(fold)]
    seen = [np.ones(len(pairs), bool)] if in_sample else [~h for h in held]
    trust = np.ones((len(pairs), len(seen)))  # [P, F]
    asked = {m.view: tuple(ridges) for m in members}
    for left in range(0 if in_sample else rounds, -1, -1):
        margins, found, doubt = _round(views, pairs, seen, held, members, trust, in_sample, asked, advance)
        before, trust = trust, 1 - doubt
        if not left or float(np.abs(trust - before).mean()) < LEAST:
            break
        asked = {v: _near(ridges, [r for f in found if f.member.view == v for r in f.ridge]) for v in asked}
    return margins, found


def _near(ridges: Sequence[float], chosen: Sequence[float]) -> tuple[float, ...]:
    """The ridges that were chosen and their neighbours: a later round need not try the others.

    >>> _near((0.01, 0.03, 0.1, 0.3), [0.03, 0.03])
    (0.01, 0.03, 0.1)
    """
    places = {ridges.index(r) for r in chosen if r in ridges}
    return tuple(r for i, r in enumerate(ridges) if {i - 1, i, i + 1} & places) or tuple(ridges)


def _round(
    views: Callable[[int], NDArray[np.float32]], pairs: Pairs, seen: Sequence[NDArray], held: Sequence[NDArray],
    members: Sequence[Member], trust: NDArray[np.float64], in_sample: bool, asked: Mapping[int, Sequence[float]],
    advance,
) -> tuple[NDArray[np.float64], list[Fitted], NDArray[np.float64]]:  # fmt: skip
    """One fit of every member under `trust` [P, F]: votes, members, and each fold's own doubt of its lesson [P, F]."""
    margins = np.zeros((len(pairs), len(members)))
    found: list[Fitted | None] = [None] * len(members)
    outside = Outside(pairs, seen)
    for view in sorted({m.view for m in members}):
        features = views(view)
        differences = torch.from_numpy(features[pairs.better] - features[pairs.worse])  # [P, H]
        for kind in ("linear", "mlp"):
            here = [k for k, m in enumerate(members) if m.view == view and m.kind == kind]
            if not here:
                continue
            crew = [members[k] for k in here]
            if kind == "linear":
                fitted = _linear(differences, pairs, seen, held, crew, trust, outside, in_sample, asked[view])
            else:
                fitted = fit_mlp(features, pairs, seen, held, crew, trust, outside, in_sample)
            for k, one in zip(here, fitted, strict=True):
                found[k] = one
                margins[:, k] = _votes(one, features, differences, pairs, held)
            if advance:
                advance(len(here))
    return margins, [f for f in found if f is not None], outside.doubt()


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
    trust: NDArray[np.float64], outside: Outside, in_sample: bool, ridges: Sequence[float],
) -> list[Fitted]:  # fmt: skip
    """All folds, members and ridges of one view in the same products."""
    bags = [bag_of(pairs.group, m.seed, in_sample=in_sample) for m in crew]
    target = torch.from_numpy(pairs.target.astype(np.float32))
    out: list[list[tuple]] = [[] for _ in crew]  # per member and fold: weights, ridge, out-of-bag loss
    for f, (rows, others) in enumerate(zip(seen, held, strict=True)):
        scale = _scale(differences[torch.from_numpy(rows)])
        scaled = differences / scale
        axes = principal(scaled[torch.from_numpy(rows)])
        scaled = scaled @ axes
        weight = pairs.weight * trust[:, f]
        columns = np.stack([weight * bag * rows for bag in bags for _ in ridges], 1)  # [P, members x ridges]
        ridge = np.tile(np.asarray(ridges), len(crew))
        heads = solve(scaled, torch.from_numpy(columns.astype(np.float32)), target, torch.from_numpy(ridge).float())
        values = (scaled @ heads).numpy().reshape(len(pairs), len(crew), len(ridges))
        loss = _out_of_bag(values, pairs, weight, rows, bags, in_sample)  # [members, ridges]
        best = int(loss.mean(0).argmin())  # one ridge for all members of a view and fold
        for k, bag in enumerate(bags):
            w = (axes @ heads[:, k * len(ridges) + best]) / scale
            size = float((differences[torch.from_numpy(others)] @ w).square().mean().sqrt()) if others.any() else 1.0
            out[k].append(((w / (size or 1.0)).numpy(), float(ridges[best]), float(loss[k, best])))
            outside.hear(f, values[:, k, best], rows & (bag == 0))
    return [
        Fitted(
            m, {"w": np.stack([f[0] for f in own]).astype(np.float32)},
            *(np.array([f[i] for f in own], np.float64) for i in (1, 2)),
        )
        for m, own in zip(crew, out, strict=True)
    ]  # fmt: skip


def _scale(differences: Tensor) -> Tensor:
    """Root mean square of every feature difference [H]; 1 for a feature that never differs."""
    size = differences.square().mean(0).sqrt() if len(differences) else torch.zeros(differences.shape[1])
    return torch.where(size > 1e-6 * size.max().clamp_min(1e-30), size, torch.ones_like(size))


def _out_of_bag(
    values: NDArray, pairs: Pairs, weight: NDArray, rows: NDArray[np.bool_], bags: Sequence[NDArray], in_sample: bool
) -> NDArray[np.float64]:
    """Log loss of every member and ridge on the rows of its folds that its bootstrap left out [members, ridges].

    `values` [P, members, ridges] are margins. In-sample members have no such rows: a ridge in the middle is taken.
    """
    if in_sample:
        flat = np.ones(values.shape[1:])
        flat[:, values.shape[2] // 2] = 0
        return flat
    out = np.zeros(values.shape[1:])
    for k, bag in enumerate(bags):
        left = rows & (bag == 0)
        out[k] = np.nan_to_num(log_loss(values[left, k], pairs.target[left], weight[left]))
    return out
