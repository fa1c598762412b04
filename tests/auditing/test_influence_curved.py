"""Influence by conjugate gradients: the linear case agrees with the closed form, an MLP with training again."""

import numpy as np
import pytest
import torch

from plaudit.auditing.influence import Rows, agreement, effects, fit_head, judged
from plaudit.auditing.influence_curved import Margins, curved_effects, fit_curved, mlp_gap
from plaudit.metrics.disparity import by_group


def world(n: int, seed: int, width: int = 5):
    draw = np.random.Generator(np.random.PCG64(seed))
    gold = np.random.Generator(np.random.PCG64(50)).normal(0, 1, width)
    x = torch.from_numpy(draw.normal(0, 1, (2 * n, width)))
    score = (torch.tanh(x) @ torch.from_numpy(gold)).numpy()
    first, second = np.arange(n), np.arange(n, 2 * n)
    swap = (score[first] < score[second]) ^ (draw.random(n) < 0.15)
    better, worse = np.where(swap, second, first), np.where(swap, first, second)
    return x, torch.from_numpy(better), torch.from_numpy(worse)


def ones(n: int) -> torch.Tensor:
    return torch.ones(n, dtype=torch.float64)


@pytest.mark.parametrize("curvature", ["gauss-newton", "hessian"])
def test_a_linear_model_gives_the_closed_form(curvature):
    x, better, worse = world(60, 0)
    other, up, down = world(40, 1)
    difference, away = (x[better] - x[worse]).numpy(), (other[up] - other[down]).numpy()
    rows = Rows(difference, np.ones(60), np.ones(60), np.zeros(60))
    judge = Rows(away, np.ones(40), np.ones(40), np.zeros(40))
    kind = np.arange(40) % 3
    head = fit_head(rows, 0.05, scale=np.ones(5))
    exact = effects(head, rows, judged(head, judge, kind))
    a, b = torch.from_numpy(difference), torch.from_numpy(away)
    found = curved_effects(
        Margins(lambda p: a @ p["w"], ones(60), ones(60)), Margins(lambda p: b @ p["w"], ones(40), ones(40)), kind,
        {"w": torch.from_numpy(head.w)}, ridge=0.05, curvature=curvature, tolerance=1e-12,
    )  # fmt: skip
    assert found.names == exact.names
    np.testing.assert_allclose(found.loss, exact.loss, rtol=1e-12)
    np.testing.assert_allclose(found.effect, exact.effect, rtol=1e-8, atol=1e-14)
    assert (found.residual < 1e-10).all()


def start(width: int, hidden: int = 6) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "w1": torch.randn(width, hidden, generator=draw, dtype=torch.float64) / width**0.5,
        "b1": torch.zeros(hidden, dtype=torch.float64),
        "w2": torch.randn(hidden, generator=draw, dtype=torch.float64) / hidden**0.5,
    }


@pytest.mark.parametrize("cut", [1.0, pytest.param(0.05, marks=pytest.mark.slow)], ids=["taken out", "hardly touched"])
def test_an_mlp_trained_again_without_a_row_moves_as_foretold(cut):
    """The check of the FairIF notes: rank correlation over 20 rows above 0.9, at a minimum, with the full Hessian."""
    x, better, worse = world(120, 2)
    other, up, down = world(80, 3)
    kind = np.arange(80) % 2
    train = Margins(mlp_gap(x, better, worse), ones(120), ones(120))
    judge = Margins(mlp_gap(other, up, down), ones(80), ones(80))
    net = fit_curved(train, start(5), ridge=0.02)
    found = curved_effects(train, judge, kind, net, ridge=0.02, curvature="hessian", tolerance=1e-8)
    assert (found.residual < 1e-4).all()
    which = np.random.Generator(np.random.PCG64(1)).choice(120, 20, replace=False)
    realised = []
    for i in which:
        weight = ones(120)
        weight[i] = 1 - cut
        again = fit_curved(Margins(train.gap, train.target, weight), net, ridge=0.02)
        realised.append(by_group(judge.losses(again).numpy(), kind, 2) - found.loss)
    held = agreement(-cut * found.effect[:, which], np.array(realised).T)
    assert held.correlation > 0.9
    assert 1 - 0.5 * cut - 0.05 < held.slope < 1 + 0.5 * cut + 0.05


def test_damping_shrinks_and_gauss_newton_never_turns_negative():
    x, better, worse = world(50, 4)
    train = Margins(mlp_gap(x, better, worse), ones(50), ones(50))
    net = start(5)  # far from a minimum
    kind = np.zeros(50)
    free = curved_effects(train, train, kind, net, ridge=0.01, steps=400, tolerance=1e-8)
    damped = curved_effects(train, train, kind, net, ridge=0.01, damping=1.0, tolerance=1e-8)
    assert (free.residual < 1e-6).all()
    assert np.abs(damped.effect).max() < np.abs(free.effect).max()
