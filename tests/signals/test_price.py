"""Strength, chance of disagreement, verdicts: constants of the spec first, then identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plaudit.errors import PlauditError
from plaudit.signals.price import Thresholds, cross_fitted_slope, decile, price, sigmoid, slope, verdict
from plaudit.signals.votes import Signals, Votes, likeness

margins = arrays(np.float64, (12, 3), elements=st.floats(-9, 9))


def votes(values, fold=None, target=None) -> Votes:
    values = np.asarray(values, float)
    n = len(values)
    fold = np.arange(n) % 3 if fold is None else np.asarray(fold)
    names = tuple(f"m{k}" for k in range(values.shape[1]))
    return Votes(values, fold, np.ones(n) if target is None else np.asarray(target, float), names)


def test_the_papers_example():
    found = price(votes([[1, 2, 3]]))
    assert found["mean"][0] == 2
    assert found["std"][0] == pytest.approx(0.816497, abs=1e-6)  # population deviation


def test_the_temperature_is_the_one_of_the_log_loss():
    mean = np.array([1.0, 1.0, 1.0, -1.0])  # three of four agree: logit(3/4)
    assert slope(mean, np.ones(4)) == pytest.approx(np.log(3), abs=1e-9)
    grid = np.linspace(0.5, 2, 3001)
    losses = [np.logaddexp(0, -a * mean).mean() for a in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(np.log(3), abs=1e-3)


@given(st.integers(1, 400), st.floats(0.01, 100))
def test_few_votes_are_never_certain(n, size):
    chance = sigmoid(np.array(-slope(np.full(n, size), np.ones(n)) * size))
    assert chance == pytest.approx(1 / (n + 2))


def test_votes_that_know_nothing_give_one_half():
    assert slope(np.array([1.0, -1.0]), np.ones(2)) == 0
    assert slope(np.array([-1.0, -2.0]), np.ones(2)) == 0  # against every label: no intercept, no negative slope
    assert slope(np.zeros(3), np.ones(3)) == 0
    found = price(votes([[1.0], [-1.0], [0.5], [-0.5]], fold=[0, 0, 1, 1]))["p_disagree"]
    np.testing.assert_allclose(found, 0.5, atol=1e-8)
    assert np.argsort(found).tolist() == [0, 2, 3, 1]  # and keeps the order of the votes


def test_the_chance_is_that_of_a_fresh_annotator_who_draws_as_the_first_did():
    """Two annotators decide by the same Bradley-Terry chance; the second takes the other side as often as foretold."""
    draw = np.random.Generator(np.random.PCG64(0))
    reward = draw.normal(0, 1.5, 20_000)
    first, fresh = draw.random((2, 20_000)) < sigmoid(reward)
    side = np.where(first, 1, -1)
    members = side[:, None] * (0.4 * reward[:, None] + draw.normal(0, 0.1, (20_000, 5)))
    chance = price(votes(members, fold=np.arange(20_000) % 5))["p_disagree"]
    for rows in np.array_split(np.argsort(chance), 5):
        assert chance[rows].mean() == pytest.approx((first != fresh)[rows].mean(), abs=0.03)


def test_a_fold_is_calibrated_on_the_others():
    mean = np.array([1.0, 1.0, 1.0, -1.0, 5.0, 5.0])
    fold = np.array([0, 0, 0, 0, 1, 1])
    found = cross_fitted_slope(mean, np.ones(6), fold)
    assert found[4] == pytest.approx(np.log(3), abs=1e-9)
    assert found[0] == pytest.approx(np.log(3) / 5)  # two votes that never err: the rule of succession, 1 in 4
    moved = cross_fitted_slope(np.where(fold == 0, 7 * mean, mean), np.ones(6), fold)
    assert moved[0] == found[0]


@given(margins)
def test_turning_every_vote_round_mirrors_the_signals(values):
    here, there = price(votes(values, fold=[0] * 12)), price(votes(-values, fold=[0] * 12))
    np.testing.assert_allclose(here["mean"], -there["mean"])
    np.testing.assert_allclose(here["std"], there["std"])
    np.testing.assert_allclose(here["vote_share"], 1 - there["vote_share"])


@given(margins, st.permutations(range(12)))
def test_the_order_of_rows_says_nothing(values, order):
    here, there = price(votes(values)), price(votes(values[order], fold=(np.arange(12) % 3)[order]))
    for name in ("mean", "std", "vote_share", "p_disagree"):
        np.testing.assert_allclose(here[name][order], there[name], atol=1e-9)


@given(margins, st.floats(0.1, 30))
def test_the_scale_of_the_votes_does_not_change_the_chance(values, scale):
    values = values + 0.3
    np.testing.assert_allclose(
        price(votes(values))["p_disagree"], price(votes(scale * values))["p_disagree"], atol=1e-6
    )


def test_ties_do_not_pull_the_temperature_to_one_side():
    mean = np.array([1.0, 1.0, 1.0, -1.0, 2.0])
    assert slope(mean, np.array([1, 1, 1, 1, 0.5])) < slope(mean[:4], np.ones(4))
    assert slope(np.array([2.0, -2.0]), np.array([0.5, 0.5])) == 0


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5)))
def test_deciles_are_equal_parts_in_order_of_strength(mean):
    found = decile(mean)
    assert found.min() >= 1
    assert found.max() <= 10
    counts = np.bincount(found, minlength=11)[1:]
    assert counts.max() - counts[counts > 0].min() <= 1 or len(mean) < 10
    assert (np.diff(found[np.argsort(mean, kind="stable")]) >= 0).all()


def test_every_tenth_holds_a_tenth():
    assert decile(np.arange(100.0)).tolist() == [1 + i // 10 for i in range(100)]


def test_verdicts_begin_where_the_thresholds_say():
    limits = Thresholds(wrong=0.8, ambiguous=0.5, strong=0.2)
    found = verdict(np.array([0.8, 0.79, 0.5, 0.49, 0.21, 0.2]), limits)
    assert found.tolist() == ["wrong", "ambiguous", "ambiguous", "normal", "normal", "strong"]
    with pytest.raises(ValueError, match="rise"):
        Thresholds(wrong=0.3)


def test_a_vote_that_is_no_number_is_an_error():
    with pytest.raises(PlauditError, match="comparison 1"):
        votes([[1.0], [np.nan]])
    with pytest.raises(ValueError, match="one name"):
        Votes(np.zeros((2, 2)), np.zeros(2, int), np.ones(2), ("a",))


def test_members_that_agree_are_alike():
    found = likeness(votes([[1, 1, -1, 0], [2, 2, -2, 1], [-1, -1, 1, 3]]))
    assert found[0, 1] == pytest.approx(1)
    assert found[0, 2] == pytest.approx(-1)
    assert abs(found[0, 3]) < 1


@given(margins, arrays(np.bool_, 12))
def test_likeness_does_not_see_which_side_is_called_better(values, turned):
    sign = np.where(turned, -1, 1)[:, None]
    np.testing.assert_allclose(likeness(votes(values)), likeness(votes(sign * values)), atol=1e-9)


def test_columns_have_one_length():
    with pytest.raises(ValueError, match="one value"):
        Signals({"a": np.zeros(2), "b": np.zeros(3)}, {})
    assert Signals({"a": np.zeros(2)}, {}).having(b=np.ones(2))["b"].tolist() == [1, 1]


def test_sigmoid_does_not_overflow():
    assert sigmoid(np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]
