"""Ridge-penalised logistic heads at their optimum, many at once: Newton steps by conjugate gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

SLACK = 1e-6  # of the loss: less than that is rounding in float32, not a step too long


def solve(
    x: Tensor, weight: Tensor, target: Tensor, ridge: Tensor, *, margin: Tensor | None = None,
    start: Tensor | None = None, steps: int = 30, tolerance: float = 1e-4,
) -> Tensor:  # fmt: skip
    """Ridge-penalised logistic heads through the origin, many at once: [H, G].

    Column g minimises  sum_p weight[p, g] l(x[p] . w - margin[p], target[p]) / sum_p weight[p, g] + ridge[g] |w|^2 / 2
    by Newton steps whose linear systems are solved by conjugate gradients, all columns in the same products; a step
    that does not lower a column's loss is halved. `tolerance` is on the gradient relative to the one at w = 0.

    Args: x [P, H], weight [P, G], target and margin [P] or [P, G], ridge [G], start [H, G]; margin and start may be
    left out and are 0 then.
    """
    share = weight / weight.sum(0).clamp_min(1e-30)  # [P, G]
    wanted = target if target.ndim == 2 else target[:, None]
    offset = torch.zeros(len(x), 1, dtype=x.dtype) if margin is None else margin.to(x.dtype)
    offset = offset if offset.ndim == 2 else offset[:, None]

    def value_of(heads: Tensor) -> Tensor:
        gap = x @ heads - offset
        fit = (share * (torch.nn.functional.softplus(gap) - wanted * gap)).sum(0)
        return fit + 0.5 * ridge * heads.square().sum(0)

    heads = torch.zeros(x.shape[1], weight.shape[1], dtype=x.dtype) if start is None else start
    first: Tensor | None = None
    value = value_of(heads)
    for _ in range(steps):
        chance = torch.sigmoid(x @ heads - offset)  # [P, G]
        gradient = x.T @ (share * (chance - wanted)) + ridge * heads
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
    """Solve (X' diag(curve_g) X + ridge_g) move_g = gradient_g for every live column [H, G].

    Preconditioned by the diagonal, which in principal axes (`principal`) is nearly the whole matrix.
    """
    diagonal = (x.square().T @ curve + ridge).clamp_min(1e-30)
    move = torch.zeros_like(gradient)
    left = gradient * live
    eased = left / diagonal
    way = eased.clone()
    size = (left * eased).sum(0)
    goal = 1e-4 * size  # an inexact Newton step: 1e-2 of the gradient is enough
    for _ in range(limit):
        ahead = x.T @ (curve * (x @ way)) + ridge * way
        length = size / (way * ahead).sum(0).clamp_min(1e-30)
        length = torch.where(size > goal, length, torch.zeros_like(length))
        move = move + length * way
        left = left - length * ahead
        eased = left / diagonal
        fresh = (left * eased).sum(0)
        if not (fresh > goal).any():
            break
        way = eased + torch.where(size > goal, fresh / size.clamp_min(1e-30), torch.zeros_like(size)) * way
        size = fresh
    return move


def principal(x: Tensor) -> Tensor:
    """The principal axes of rows x [P, H], as columns of an orthogonal matrix [H, H].

    Heads found for x @ axes have the same ridge as in the axes that came: `axes @ heads` turns them back.
    """
    return torch.linalg.eigh(x.T @ x)[1]


def _descend(
    value_of: Callable[[Tensor], Tensor], heads: Tensor, value: Tensor, move: Tensor, live: Tensor
) -> tuple[Tensor, Tensor, bool]:
    """Take the Newton step in every live column, halved until its loss falls; whether any column moved."""
    length = live.to(heads.dtype)
    for _ in range(12):
        trial = heads - length * move
        fresh = value_of(trial)
        worse = (fresh > value * (1 + SLACK)) & (length > 0)
        if not worse.any():
            return trial, fresh, bool((length > 0).any())
        length = torch.where(worse, length / 2, length)
    length = torch.where(worse, torch.zeros_like(length), length)
    trial = heads - length * move
    return trial, value_of(trial), bool((length > 0).any())
