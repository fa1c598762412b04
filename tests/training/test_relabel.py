"""Labels and margins that move: every part keeps the contract, and gives the constants of its paper."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.losses import bradley_terry
from plaudit.training.relabel import batch_mean, confidence, constant, running, smoothing, strength
from plaudit.training.relabel._contract import CHECKS

ROOM = "plaudit.training.relabel"
NAMES = catalog.names(ROOM)
numbers = st.floats(-20, 20)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_contract(name, check):
    check(catalog.load(ROOM, name))


# Iterative data smoothing


@pytest.mark.parametrize(
    ("step", "beta", "n", "rate", "expected"),
    [
        (0.1, 0.01, 1, 1, 1.633506), (0.1, 0.1, 1, 1, 0.401058), (0.01, 0.01, 100, 0.7, 0.809061),
        (0.001, 0.001, 1000, 0.7, 0.843285), (0.1, 0.1, 1, 0.7, 0.160069),
    ],
)  # fmt: skip
def test_the_limits_of_smoothing_and_what_is_conserved(step, beta, n, rate, expected):
    assert smoothing.limit(step, beta, n, rate) == pytest.approx(expected, abs=1e-6)
    epochs = 20000
    d, m = smoothing.tabular(0.0, rate, step=step, beta=beta, n=n, epochs=epochs)
    assert d[-1] == pytest.approx(expected, abs=1e-6)
    conserved = beta * d + step * n * m
    assert np.abs(conserved - conserved[0]).max() < 1e-10
    assert ((m >= 0) & (m <= 1)).all()


def test_without_smoothing_a_pair_compared_once_runs_away():
    d, m = smoothing.tabular(0.0, 1.0, step=0.1, beta=0.0, n=1, epochs=20000)
    assert (m == 1).all()
    assert d[-1] > math.log(0.1 * 20000) - 0.5


@given(st.floats(0, 1), numbers, st.floats(0, 1))
def test_a_label_stays_between_what_it_was_and_what_is_believed(target, gap, beta):
    (moved,), _ = smoothing.relabel(np.array([target]), np.zeros(1), np.array([gap]), beta=beta)
    belief = 1 / (1 + math.exp(-gap))
    assert min(target, belief) - 1e-12 <= moved <= max(target, belief) + 1e-12
    if beta == 0 or target == 0.5:
        assert moved == target


def test_a_comparison_that_was_not_seen_keeps_its_label():
    target = np.array([1.0, 0.0])
    assert smoothing.relabel(target, np.zeros(2), np.array([np.nan, 2.0]), beta=0.5)[0][0] == 1


# Margins


def test_a_margin_of_nothing_is_bradley_terry():
    target, margin, gap, weight = np.ones(5), np.zeros(5), -np.arange(5.0), np.ones(5)
    for _, found in (
        constant.relabel(target, margin, scale=0.0), strength.relabel(target, margin, np.ones(5), scale=0.0),
        batch_mean.relabel(target, margin, gap, weight), confidence.relabel(target, margin, gap, weight),
        running.relabel(target, margin, 0.0), running.relabel(target, margin, -2.0),
    ):  # fmt: skip
        assert np.array_equal(found, margin)


def test_margins_add_to_those_that_are_there_and_are_capped():
    target, margin = np.array([1.0, 0.0, 0.5]), np.array([0.5, 0.5, 0.5])
    assert constant.relabel(target, margin, scale=9.0, cap=2.0)[1].tolist() == [2.5, -1.5, 0.5]
    assert strength.relabel(target, margin, np.array([1.0, 2.0, 3.0]), scale=0.5)[1].tolist() == [1.0, -0.5, 0.5]


def test_estimators_by_hand():
    target, weight = np.array([1.0, 0.0, 0.5]), np.array([1.0, 3.0, 1.0])
    gap = np.array([2.0, -1.0, 9.0])  # in favour of the label 2 and 1: weighted mean (2 + 3) / 4
    assert batch_mean.relabel(target, np.zeros(3), gap, weight)[1].tolist() == [1.25, -1.25, 0.0]
    sure = 2 / (1 + np.exp(-np.array([2.0, 1.0]))) - 1
    expected = [1.25 * sure[0], -1.25 * sure[1], 0.0]
    assert confidence.relabel(target, np.zeros(3), gap, weight)[1].tolist() == pytest.approx(expected)
    assert running.remember(0.5, target, gap, weight, decay=0.9) == pytest.approx(0.45 + 0.125)


def test_a_margin_as_wide_as_the_difference_pushes_by_a_constant():
    """Spec: every pair has loss ln 2 and gradient -1/2, so the gap of a linear model grows linearly with the steps."""
    x = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
    theta, gaps = torch.zeros(3, dtype=torch.float64, requires_grad=True), []
    for _ in range(5):
        gap = (x @ theta)[None]
        value = bradley_terry.loss(gap, torch.zeros_like(gap), torch.ones_like(gap), gap.detach()).sum()
        (grad,) = torch.autograd.grad(value, theta)
        assert value.item() == pytest.approx(math.log(2))
        theta = (theta - 0.1 * grad).detach().requires_grad_()
        gaps.append(float(x @ theta.detach()))
    assert np.diff(gaps) == pytest.approx([0.05 * float(x @ x)] * 4)


def test_no_gradient_flows_through_a_margin():
    """The gradient of the loss is the one by finite differences with the margins held where they were."""
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    ones, zeros = np.ones(6), np.zeros(6)

    def margins(at):
        return torch.from_numpy(confidence.relabel(ones, zeros, (x @ at).detach().numpy(), ones)[1])

    def value(at, margin):
        return bradley_terry.loss(x @ at, torch.zeros(6).double(), torch.ones(6).double(), margin).mean()

    (grad,) = torch.autograd.grad(value(theta, margins(theta)), theta)
    held, step = margins(theta), 1e-6
    for i in range(3):
        e = step * torch.eye(3, dtype=torch.float64)[i]
        with torch.no_grad():
            numeric = (value(theta + e, held) - value(theta - e, held)) / (2 * step)
        assert grad[i].item() == pytest.approx(numeric.item(), rel=1e-6)
