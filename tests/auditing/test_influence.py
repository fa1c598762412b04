"""Influence on linear heads is a derivative: against training again, row by row and all at once."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from plaudit.auditing.influence import (
    Rows,
    agreement,
    effects,
    fit_head,
    judged,
    leave_out_check,
    left_out,
    rows_of,
    self_influence,
)  # fmt: skip
from plaudit.errors import PlauditError
from plaudit.training.bags import Pairs


def rows(n: int, width: int = 6, seed: int = 0, noise: float = 0.2) -> Rows:
    """Comparisons by a linear reward that is the same for every seed, some of them turned round."""
    draw = np.random.Generator(np.random.PCG64(seed))
    gold = np.random.Generator(np.random.PCG64(99)).normal(0, 1, width)
    x = draw.normal(0, 1, (n, width)) * np.linspace(0.5, 2, width)
    flipped = draw.random(n) < noise
    x *= np.where((x @ gold > 0) ^ flipped, 1, -1)[:, None]
    return Rows(x, np.where(draw.random(n) < 0.1, 0.5, 1.0), draw.integers(1, 4, n).astype(float), 0.1 * draw.random(n))


TRAIN, JUDGE = rows(120), rows(80, seed=1)
KIND = np.where(JUDGE.x[:, 0] > 0, "up", "down")


def test_the_head_is_at_its_optimum():
    head = fit_head(TRAIN, 0.1)
    w = torch.from_numpy(head.w).requires_grad_()
    gap = torch.from_numpy(TRAIN.x / head.scale) @ w - torch.from_numpy(TRAIN.margin)
    share = torch.from_numpy(TRAIN.weight / TRAIN.weight.sum())
    loss = (share * (torch.nn.functional.softplus(gap) - torch.from_numpy(TRAIN.target) * gap)).sum()
    (loss + 0.05 * (w**2).sum()).backward()
    assert w.grad.abs().max() < 1e-12
    warm = fit_head(TRAIN.weighing(np.ones(120)), 0.1, start=head)
    np.testing.assert_allclose(warm.w, fit_head(TRAIN.weighing(np.ones(120)), 0.1, scale=head.scale).w, atol=1e-10)


@pytest.mark.parametrize("ridge", [0.003, 0.3])
def test_effects_are_the_derivative_of_training_again(ridge):
    """Every row and a whole direction of weights: central differences."""
    head = fit_head(TRAIN, ridge)
    seen = judged(head, JUDGE, KIND)
    found = effects(head, TRAIN, seen)
    draw = np.random.Generator(np.random.PCG64(5))
    ways = [np.eye(120)[i] for i in (0, 17, 99)] + [draw.normal(0, 1, 120)]
    for way in ways:
        moved = [
            judged(fit_head(TRAIN.weighing(TRAIN.weight * (1 + e * way)), ridge, start=head), JUDGE, KIND).loss
            for e in (1e-4, -1e-4)
        ]
        np.testing.assert_allclose(found.effect @ way, (moved[0] - moved[1]) / 2e-4, rtol=1e-5, atol=1e-9)


def test_the_error_of_a_prediction_shrinks_with_the_square_of_the_step():
    head = fit_head(TRAIN, 0.1)
    seen = judged(head, JUDGE, KIND)
    way = np.random.Generator(np.random.PCG64(6)).normal(0, 1, 120)
    predicted = effects(head, TRAIN, seen).effect @ way
    errors = []
    for e in (0.2, 0.1, 0.05):
        again = judged(fit_head(TRAIN.weighing(TRAIN.weight * (1 + e * way)), 0.1, start=head), JUDGE, KIND)
        errors.append(np.abs(again.loss - seen.loss - e * predicted).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.5)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.5)


def test_ridge_regression_is_exact_to_first_order():
    """Quadratic loss: the closed form of the reweighted regression; the relative error falls like the step."""
    draw = np.random.Generator(np.random.PCG64(8))
    some = Rows(TRAIN.x, draw.normal(0, 1, 120), TRAIN.weight, TRAIN.margin)
    head = fit_head(some, 0.1, kind="squared")
    x, share = some.x / head.scale, some.weight / some.weight.sum()
    normal = (x * share[:, None]).T @ x + 0.1 * np.eye(6)
    np.testing.assert_allclose(head.w, np.linalg.solve(normal, x.T @ (share * (some.target + some.margin))), rtol=1e-9)
    seen = judged(head, JUDGE, KIND)
    way = draw.normal(0, 1, 120)
    predicted = effects(head, some, seen).effect @ way
    errors = []
    for e in (1e-2, 1e-3, 1e-4):
        again = fit_head(some.weighing(some.weight * (1 + e * way)), 0.1, start=head)
        moved = judged(again, JUDGE, KIND).loss - seen.loss
        errors.append(np.abs(moved / (e * predicted) - 1).max())
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 0.2 * errors[1]
    assert errors[2] < 1e-3
    assert fit_head(some, 0.1, start=head).kind == "squared"


def test_leaving_a_row_out_is_foretold():
    head = fit_head(TRAIN, 0.05)
    which = np.random.Generator(np.random.PCG64(2)).choice(120, 20, replace=False)
    found = leave_out_check(head, TRAIN, JUDGE, KIND, which)
    assert found.predicted.shape == found.realised.shape == (2, 20)
    assert found.correlation > 0.95
    assert found.slope == pytest.approx(1, abs=0.05)
    plain = agreement(-effects(head, TRAIN, judged(head, JUDGE, KIND)).effect[:, which], found.realised)
    assert plain.correlation > 0.9
    assert abs(found.slope - 1) <= abs(plain.slope - 1) + 0.01  # the Newton step knows its own leverage


def test_copies_have_equal_influence():
    twin = TRAIN.take(np.r_[0:120, 7])
    head = fit_head(twin, 0.1)
    seen = judged(head, JUDGE, KIND)
    for column in (effects(head, twin, seen).effect, left_out(head, twin, seen), self_influence(head, twin)[None]):
        np.testing.assert_allclose(column[:, 120], column[:, 7], rtol=1e-9)


def test_the_unit_of_a_feature_does_not_matter():
    other = Rows(TRAIN.x * 10.0 ** np.arange(-3, 3), TRAIN.target, TRAIN.weight, TRAIN.margin)
    judge = Rows(JUDGE.x * 10.0 ** np.arange(-3, 3), JUDGE.target, JUDGE.weight, JUDGE.margin)
    here, there = fit_head(TRAIN, 0.1), fit_head(other, 0.1)
    a = effects(here, TRAIN, judged(here, JUDGE, KIND)).effect
    b = effects(there, other, judged(there, judge, KIND)).effect
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)


def test_weight_zero_has_no_influence():
    weight = TRAIN.weight.copy()
    weight[3] = 0
    some = TRAIN.weighing(weight)
    head = fit_head(some, 0.1)
    assert (effects(head, some, judged(head, JUDGE, KIND)).effect[:, 3] == 0).all()
    assert self_influence(head, some)[3] == 0


def test_small_groups_are_left_out():
    head = fit_head(TRAIN, 0.1)
    kind = np.where(np.arange(80) < 3, "few", KIND)
    seen = judged(head, JUDGE, kind, fewest=10)
    assert seen.names == ("down", "up")
    assert (seen.code[:3] == -1).all()
    without = judged(head, JUDGE.take(np.arange(3, 80)), KIND[3:])
    np.testing.assert_allclose(seen.loss, without.loss)
    np.testing.assert_allclose(seen.slope, without.slope)
    assert judged(head, JUDGE, kind, fewest=1000).names == ()


def test_training_rows_have_no_groups_to_read():
    assert {f.name for f in fields(Rows)} == {"x", "target", "weight", "margin"}

    class Guarded(Pairs):
        def __getattribute__(self, name):
            assert name != "group", "a training group was read"
            return super().__getattribute__(name)

    one = np.ones(4)
    features = np.random.Generator(np.random.PCG64(0)).normal(0, 1, (8, 6)).astype(np.float32)
    pairs = Guarded(np.arange(4), np.arange(4, 8), one, one, np.zeros(4, np.uint64))
    with pytest.raises(AssertionError, match="was read"):
        _ = pairs.group
    found = rows_of(features, pairs)
    head = fit_head(found, 0.1)
    assert effects(head, found, judged(head, JUDGE, KIND)).effect.shape == (2, 4)


def test_a_feature_that_is_not_a_number_is_named():
    features = np.zeros((4, 2), np.float32)
    features[3, 1] = np.nan
    with pytest.raises(PlauditError, match="comparison 1: a feature"):
        rows_of(features, Pairs(np.arange(2), np.arange(2, 4), np.ones(2), np.ones(2), np.arange(2).astype(np.uint64)))


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(PlauditError, match="weight"):
        fit_head(TRAIN.weighing(np.zeros(120)), 0.1)
    with pytest.raises(PlauditError, match="ridge"):
        fit_head(TRAIN, 0.0)
