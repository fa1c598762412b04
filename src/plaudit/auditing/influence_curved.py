"""Influence where there is no closed form: MLP heads, the last layers of a model, anything that torch can derive.

H^-1 grad L_g is found by conjugate gradients on Hessian-vector products, one system a validation group; a row's effect
is then read off one Jacobian-vector product, so no gradient of a single row is ever stored. `gauss-newton` leaves out
the curvature of the network itself and cannot turn negative; `hessian` is exact at a minimum and needs `damping` to
stay positive elsewhere. Damping is added to H only: it shrinks the effects, along flat directions most.

Koh & Liang 2017 (arXiv 1703.04730), Martens 2010. Networks are not convex: hold some predictions against training
again (`agreement`) before weights made of them are trusted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu, softplus

from plaudit.metrics.disparity import by_group

Parameters = Mapping[str, Tensor]
Curvature = Literal["gauss-newton", "hessian"]


@dataclass(frozen=True)
class Margins:
    """Comparisons of any model: `gap` gives their score differences [P] under parameters; `target`, `weight` [P]."""

    gap: Callable[[Parameters], Tensor]
    target: Tensor
    weight: Tensor

    def losses(self, parameters: Parameters) -> Tensor:
        """Logistic loss of every comparison [P]."""
        gap = self.gap(parameters)
        return softplus(gap) - self.target * gap

    def objective(self, parameters: Parameters, ridge: float) -> Tensor:
        """Weighted mean loss plus ridge / 2 times the squared size of all parameters."""
        share = self.weight / self.weight.sum()
        return (share * self.losses(parameters)).sum() + 0.5 * ridge * _dot(parameters, parameters)


class Curved(NamedTuple):
    """As `influence.Effects`; `residual` [G] is what conjugate gradients left of each system, relative."""

    names: tuple[str, ...]
    loss: NDArray[np.float64]
    effect: NDArray[np.float64]
    residual: NDArray[np.float64]


def mlp_gap(x: Tensor, better: Tensor, worse: Tensor) -> Callable[[Parameters], Tensor]:
    """Score differences of an MLP head (`w1` [H, M], `b1` [M], `w2` [M], as in models.members) on responses [N, H]."""

    def gap(net: Parameters) -> Tensor:
        score = gelu(x @ net["w1"] + net["b1"]) @ net["w2"]
        return score[better] - score[worse]

    return gap


def fit_curved(train: Margins, start: Parameters, *, ridge: float, steps: int = 400) -> dict[str, Tensor]:
    """Parameters at a minimum of the objective near `start`, by L-BFGS on all rows; for checks by training again."""
    live = {k: v.detach().clone().requires_grad_() for k, v in start.items()}
    optimizer = torch.optim.LBFGS(
        list(live.values()), max_iter=steps, tolerance_grad=1e-9, tolerance_change=1e-14, history_size=50,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = train.objective(live, ridge)
        value.backward()
        return value

    optimizer.step(closure)
    return {k: v.detach() for k, v in live.items()}


def curved_effects(
    train: Margins, judge: Margins, kind: NDArray, parameters: Parameters, *, ridge: float, damping: float = 0.0,
    curvature: Curvature = "gauss-newton", steps: int = 200, tolerance: float = 1e-6,
) -> Curved:  # fmt: skip
    """S [G, P] of every training comparison on the mean loss of every validation group `kind` [V]; "" is no group."""
    at = {k: v.detach().requires_grad_() for k, v in parameters.items()}
    kind = np.asarray(kind).astype(str)
    names = np.unique(kind[kind != ""])
    code = np.where(kind == "", -1, np.searchsorted(names, kind))
    gap, along = _forward(train, at)
    share = train.weight / train.weight.sum()
    chance = torch.sigmoid(gap.detach())
    product = _product(train, at, gap, along, share * chance * (1 - chance), ridge, damping, curvature)
    each = judge.losses(at)
    effect, residual = [], []
    for g in range(len(names)):
        inside = torch.from_numpy((code == g) / (code == g).sum()).to(each.dtype)
        slope = _back(each, at, inside)
        way, left = _conjugate(product, slope, steps, tolerance)
        pull = share * ((chance - train.target) * along(way) + ridge * _dot(at, way))  # every row's at once
        effect.append(-pull.detach().double().numpy())
        residual.append(left)
    loss = by_group(each.detach().double().numpy(), code, len(names))
    return Curved(tuple(str(n) for n in names), loss, np.array(effect), np.array(residual))


def _back(value: Tensor, at: dict[str, Tensor], seed: Tensor, graph: bool = False) -> dict[str, Tensor]:
    """seed' d value / d parameters; parameters that take no part have gradient 0."""
    found = torch.autograd.grad(value, list(at.values()), seed, retain_graph=True, create_graph=graph,
                                allow_unused=True, materialize_grads=True)  # fmt: skip
    return dict(zip(at, found, strict=True))


def _forward(train: Margins, at: dict[str, Tensor]) -> tuple[Tensor, Callable[[dict[str, Tensor]], Tensor]]:
    """The margins [P], and v -> (d margins / d parameters) v [P] by deriving backward twice.

    Forward mode would do in one pass, but not every attention kernel has it.
    """
    gap = train.gap(at)
    seed = torch.zeros_like(gap, requires_grad=True)
    pulled = list(_back(gap, at, seed, graph=True).values())

    def along(v: dict[str, Tensor]) -> Tensor:
        (found,) = torch.autograd.grad(pulled, seed, [v[k] for k in at], retain_graph=True)
        return found

    return gap, along


def _product(
    train: Margins, at: dict[str, Tensor], gap: Tensor, along: Callable[[dict[str, Tensor]], Tensor], curve: Tensor,
    ridge: float, damping: float, curvature: Curvature,
) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:  # fmt: skip
    """v -> (H + damping) v."""

    def gauss_newton(v: dict[str, Tensor]) -> dict[str, Tensor]:
        found = _back(gap, at, curve * along(v))
        return {k: found[k] + (ridge + damping) * v[k] for k in v}

    if curvature == "gauss-newton":
        return gauss_newton
    value = train.objective(at, ridge)
    slope = torch.cat([g.flatten() for g in _back(value, at, torch.ones_like(value), graph=True).values()])

    def hessian(v: dict[str, Tensor]) -> dict[str, Tensor]:
        found = _back(slope, at, torch.cat([v[k].flatten() for k in at]))
        return {k: found[k] + damping * v[k] for k in v}

    return hessian


def _conjugate(
    product: Callable[[dict[str, Tensor]], dict[str, Tensor]], goal: dict[str, Tensor], steps: int, tolerance: float
) -> tuple[dict[str, Tensor], float]:
    """Solve product(x) = goal; also the relative residual. Stops where the curvature turns negative."""
    x = {k: torch.zeros_like(v) for k, v in goal.items()}
    left, way = dict(goal), dict(goal)
    size = first = _dot(left, left)
    for _ in range(steps):
        if not float(size) > tolerance**2 * float(first):
            break
        ahead = product(way)
        bend = _dot(way, ahead)
        if not float(bend) > 0:
            break
        length = size / bend
        x = {k: x[k] + length * way[k] for k in x}
        left = {k: left[k] - length * ahead[k] for k in x}
        fresh = _dot(left, left)
        way = {k: left[k] + fresh / size * way[k] for k in x}
        size = fresh
    return x, float((size / first.clamp_min(1e-300)).sqrt())


def _dot(a: Parameters, b: Parameters) -> Tensor:
    return torch.stack([(a[k] * b[k]).sum() for k in a]).sum()
