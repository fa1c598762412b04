"""What every way of stepping promises, as checks that a test or an outside package runs: `for check in CHECKS: ...`.

A module holds `step(model, micro, objective, optimizer, *, around) -> dict`: one optimiser step from all micro-batches
of one batch, the sums of its metrics over all ranks. The checks run it on r = φ · θ, whose trees are tables of φ.
"""

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.start import accelerator_for
from plaudit.training.steps._gradient import Around, Ascent, Diverged

WIDTH = 3


class Linear(nn.Module):
    """r = φ · θ in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.linspace(-0.5, 0.7, WIDTH, dtype=torch.float64))

    def forward(self, tree: Any) -> Tensor:
        return tree.table @ self.theta


@dataclass
class Table:
    """Features [R, WIDTH], with what a step counts of a tree."""

    table: Tensor
    tokens: tuple = ()
    padding: int = 0
    reads: tuple = ()
    position: Any = field(default_factory=lambda: np.zeros(0, int))


@dataclass(frozen=True)
class Groups:
    """Meta groups that are the same in every step."""

    table: Tensor

    def batch(self, step: int) -> list[tuple[Any, Tensor]]:
        return [(Table(self.table), torch.zeros(len(self.table), dtype=torch.long))]


def batch_of(better: Tensor, worse: Tensor, rows: tuple[int, ...], weight: float = 1.0) -> Any:
    """A micro-batch of pairs whose features [P, WIDTH] are these."""
    n = len(better)
    whole = torch.arange(2 * n)
    return SimpleNamespace(
        tree=Table(torch.cat([better, worse])), group=whole % n, ranks=whole // n,
        ratings=torch.full((2 * n, 1), torch.nan), better=torch.arange(n), worse=torch.arange(n) + n,
        target=torch.ones(n), margin=torch.zeros(n), weight=torch.full((n,), weight), rows=rows,
        side={"slot": whole, "place": torch.arange(n)},
    )  # fmt: skip


def features(n: int) -> tuple[Tensor, Tensor]:
    """Random features of n pairs."""
    found = torch.randn(2, n, WIDTH, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return found[0], found[1]


def take(module: ModuleType, micro: list) -> tuple[Tensor, dict, Any]:
    """(θ afterwards, the step's sums or its Diverged, the optimiser) of one step with AdamW."""
    model = Linear()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.0)
    groups: Any = Groups(features(4)[0])
    around = Around(accelerator_for(TrainOptions(device="cpu")), 1.0, ascent=Ascent(groups, 0.1))
    try:
        found: Any = module.step(model, micro, Objective(), optimizer, around=around)
    except Diverged as error:
        found = error
    assert model.theta.grad is None, "a step leaves no gradient behind"
    return model.theta.detach(), found, optimizer


def moves(module: ModuleType) -> None:
    """A sound step moves the weights and says its loss and the gradient's norm, as finite numbers."""
    theta, found, _ = take(module, [batch_of(*features(5), rows=tuple(range(5)))])
    assert not torch.equal(theta, Linear().theta.detach())
    assert {"loss_sum", "grad_norm"} <= set(found)
    assert all(np.isfinite(value) for value in found.values())


def cuts(module: ModuleType) -> None:
    """How a batch is cut into micro-batches changes nothing: losses are weighed over the whole of it."""
    better, worse = features(5)
    parts = [batch_of(better[:2], worse[:2], (0, 1)), batch_of(better[2:], worse[2:], (2, 3, 4))]
    one, _, _ = take(module, [batch_of(better, worse, tuple(range(5)))])
    other, _, _ = take(module, parts)
    assert torch.allclose(one, other, rtol=1e-6, atol=1e-9)


def nothing(module: ModuleType) -> None:
    """A batch without weight is skipped and counted: no weight moves, and the optimiser has not stepped."""
    theta, found, optimizer = take(module, [batch_of(*features(3), rows=(0, 1, 2), weight=0.0)])
    assert found == {"skipped": 1.0}
    assert torch.equal(theta, Linear().theta.detach())
    assert not optimizer.state


def guarded(module: ModuleType) -> None:
    """What is not finite raises `Diverged` with its rows; weights and optimiser are as before."""
    better, worse = features(3)
    better[1, 0] = torch.nan
    theta, found, optimizer = take(module, [batch_of(better, worse, (7, 8, 9))])
    assert isinstance(found, Diverged)
    assert set(found.rows) & {7, 8, 9}
    assert torch.equal(theta, Linear().theta.detach())
    assert not optimizer.state


CHECKS = [moves, cuts, nothing, guarded]
