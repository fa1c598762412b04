"""FairIF's closed form: the minimum it claims, its limits, equal rows alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import OptionError
from plaudit.metrics.disparity import by_group, squared_gaps, widest_gap
from plaudit.signals.fairness import fair_weights, strength
from plaudit.signals.recipes import steps, treat


def draws(groups: int, rows: int, seed: int):
    draw = np.random.Generator(np.random.PCG64(seed))
    return draw.random(groups), draw.normal(0, 1 / rows, (groups, rows))


def objective(tilt, loss, effect, penalty):
    after = loss + effect @ tilt
    pairs = sum((after[g] - after[h]) ** 2 for g in range(len(after)) for h in range(g))
    return pairs + penalty * strength(effect) * tilt @ tilt


@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 99), st.sampled_from([0.01, 0.3, 1.0, 20.0]))
def test_it_is_the_minimum_of_the_stated_objective(groups, rows, seed, penalty):
    loss, effect = draws(groups, rows, seed)
    tilt = fair_weights(loss, effect, penalty=penalty).tilt
    draw = np.random.Generator(np.random.PCG64(seed + 1))
    here = objective(tilt, loss, effect, penalty)
    for size in (1e-3, 0.1, 1.0):
        assert objective(tilt + size * draw.normal(0, 1, rows), loss, effect, penalty) >= here - 1e-12


def test_no_penalty_closes_the_gap_by_the_least_tilt():
    loss, effect = draws(3, 40, 0)
    found = fair_weights(loss, effect, penalty=0.0)
    np.testing.assert_allclose(np.ptp(loss + effect @ found.tilt), 0, atol=1e-9)
    pull = effect - effect.mean(0)
    least = -np.linalg.pinv(pull) @ (loss - loss.mean())
    np.testing.assert_allclose(found.tilt, least, atol=1e-8)


def test_a_large_penalty_gives_weight_one():
    loss, effect = draws(4, 30, 1)
    np.testing.assert_allclose(fair_weights(loss, effect, penalty=1e9).weight, 1, atol=1e-6)


def test_equal_losses_give_no_tilt():
    _, effect = draws(3, 20, 2)
    assert (fair_weights(np.full(3, 0.4), effect, penalty=0.01).tilt == 0).all()


def test_copies_get_equal_weights():
    loss, effect = draws(3, 20, 3)
    effect[:, 7] = effect[:, 2]
    weight = fair_weights(loss, effect, penalty=0.1).weight
    assert weight[7] == pytest.approx(weight[2], abs=1e-12)


def test_weights_stay_in_their_bounds_and_say_how_many_were_cut():
    loss, effect = draws(2, 10, 4)
    found = fair_weights(10 * loss, effect, penalty=0.0, largest=1.5)
    assert found.weight.min() >= 0
    assert found.weight.max() <= 1.5
    assert 0 < found.clipped <= 1
    np.testing.assert_allclose(found.predicted, 10 * loss + effect @ (found.weight - 1))


@pytest.mark.parametrize("effect", [np.zeros((3, 5)), np.ones((3, 5)), np.zeros((3, 0))])
def test_rows_that_move_nothing_keep_weight_one(effect):
    assert (fair_weights(np.array([0.1, 0.5, 0.9]), effect, penalty=0.0).weight == 1).all()


def test_wrong_options_are_named():
    loss, effect = draws(2, 3, 5)
    with pytest.raises(OptionError, match="penalty"):
        fair_weights(loss, effect, penalty=-1.0)
    with pytest.raises(OptionError, match="largest"):
        fair_weights(loss, effect, penalty=1.0, largest=0.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_gaps(values):
    pairs = sum((a - b) ** 2 for i, a in enumerate(values) for b in values[:i])
    assert squared_gaps(values) == pytest.approx(pairs, abs=1e-9)
    assert widest_gap(values) == max(values) - min(values)


def test_gaps_of_nothing():
    assert squared_gaps([]) == widest_gap([]) == 0
    assert np.isnan(by_group([], np.zeros(0, int), 1)).all()


def test_the_treatment_multiplies_the_column():
    columns = {"fair_weight": np.array([0.5, 1.0, 9.0])}
    found, touched = treat(columns, steps(["fairif:largest=3"]), np.ones(3))
    assert found.weight.tolist() == [0.5, 1.0, 3.0]
    assert touched[0].tolist() == [True, False, True]
    half, _ = treat(columns, steps(["fairif:strength=0.5,largest=9"]), np.ones(3))
    assert half.weight.tolist() == [0.75, 1.0, 5.0]
    with pytest.raises(OptionError, match="fair_weight"):
        treat({}, steps(["fairif"]), np.ones(3))
