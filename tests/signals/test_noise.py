"""p_wrong under a named model: planted rates come back inside their interval; the committee's doubt orders the rows."""

import numpy as np
import pytest
from scipy.stats import chi2

from plaudit.signals.aggregate import aggregate
from plaudit.signals.noise import CHI2_95, _likelihood, estimate
from plaudit.signals.price import sigmoid


def world(n: int, rate, seed: int, scale: float = 3.0):
    """Margins in the direction of the label as it came, whether it was flipped."""
    draw = np.random.Generator(np.random.PCG64(seed))
    gold = draw.normal(0, scale, n)
    clean = np.where(draw.random(n) < sigmoid(gold), 1, -1)
    flipped = draw.random(n) < rate
    return np.where(flipped, -clean, clean) * gold, flipped


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.4])
def test_a_planted_rate_lies_in_the_interval(rate):
    inside = []
    for seed in range(12):
        mean, _ = world(3000, rate, seed)
        found, low, high, n = estimate(mean, np.ones(3000), np.zeros(3000)).rates["all"]
        assert n == 3000
        inside.append(low - 0.002 <= rate <= high + 0.002)
        assert abs(found - rate) < (0.06 if rate < 0.3 else 0.2)  # near 1/2 rate and slope are hard to tell apart
    assert sum(inside) >= 10  # a 95 % interval


def test_the_chance_is_calibrated():
    mean, flipped = world(40000, 0.2, 1)
    p = estimate(mean, np.ones(len(mean)), np.zeros(len(mean))).p_wrong
    assert p.mean() == pytest.approx(flipped.mean(), abs=0.01)
    for low, high in ((0, 0.05), (0.1, 0.3), (0.5, 0.8), (0.9, 1)):
        rows = (p >= low) & (p < high)
        assert p[rows].mean() == pytest.approx(flipped[rows].mean(), abs=0.05)


def test_groups_have_rates_of_their_own():
    a, _ = world(4000, 0.05, 2)
    b, _ = world(4000, 0.35, 3)
    kind = np.array(["a"] * 4000 + ["b"] * 4000)
    found = estimate(np.concatenate([a, b]), np.ones(8000), kind, model="group")
    assert found.rates["a"][2] < found.rates["b"][1]
    assert found.identified


def test_a_row_is_judged_by_the_rate_of_its_own_group():
    (a, of_a), (b, of_b) = world(4000, 0.05, 2), world(4000, 0.35, 3)
    found = estimate(np.concatenate([a, b]), np.ones(8000), np.repeat(["a", "b"], 4000), model="group")
    for rows, wrong in ((found.p_wrong[:4000], of_a), (found.p_wrong[4000:], of_b)):
        assert rows.mean() == pytest.approx(wrong.mean(), abs=0.02)


def test_a_group_is_told_more_closely_in_the_company_of_a_large_one():
    """The slope is shared: what the others know of it leaves a small group's rate less room."""
    (few, _), (many, _) = world(400, 0.1, 2, scale=1.0), world(20_000, 0.1, 3, scale=1.0)
    kind = np.repeat(["few", "many"], [400, 20_000])
    _, low, high, _ = estimate(np.concatenate([few, many]), np.ones(20_400), kind, model="group").rates["few"]
    _, lowest, highest, _ = estimate(few, np.ones(400), kind[:400], model="group").rates["few"]
    assert high - low < 0.8 * (highest - lowest)


def test_a_rate_is_inside_up_to_the_95_percent_point_of_chi_square():
    assert pytest.approx(chi2.ppf(0.95, 1), abs=1e-6) == CHI2_95


def test_a_silent_vote_counts_for_both_sides_alike():
    """Turning every label round is a slope of the other sign, also where votes of 0 share a bin with others."""
    mean = np.concatenate([np.zeros(100), np.repeat([5.0, -5.0], [350, 100])])  # 150 bins of three, 50 of two
    slopes = np.array([0.1, 1.0])
    np.testing.assert_allclose(_likelihood(-mean, slopes), _likelihood(mean, -slopes), rtol=1e-12)


def test_weak_votes_cannot_tell_and_say_so():
    mean, _ = world(60, 0.2, 4, scale=0.05)
    found = estimate(mean, np.ones(60), np.zeros(60))
    assert not found.identified
    assert np.isnan(found.p_wrong).all()


def test_the_scale_of_votes_does_not_matter():
    mean, _ = world(2000, 0.2, 5)
    here, there = estimate(mean, np.ones(2000), mean * 0), estimate(100 * mean, np.ones(2000), mean * 0)
    assert here.rates == there.rates
    np.testing.assert_allclose(here.p_wrong, there.p_wrong, atol=1e-9)


def test_ties_and_silent_committees_take_no_part():
    found = estimate(np.array([1.0, -2.0, 0.5]), np.array([1, 0.5, 1]), np.zeros(3))
    assert found.p_wrong[1] == 0
    assert found.rates["all"][3] == 2
    assert np.isnan(estimate(np.zeros(3), np.ones(3), np.zeros(3)).p_wrong).all()


def test_aggregates_of_the_spec():
    three = np.array([[1.0], [2.0], [6.0]])
    expected = {"mean": 3, "min": 1, "uwo": -1.6667, "lcb": 0.8398, "soft_min": 1.7804}
    for how, value in expected.items():
        assert aggregate(three, how)[0] == pytest.approx(value, abs=5e-5)
        assert aggregate(three + 10, how)[0] == pytest.approx(value + 10, abs=5e-5)
        assert aggregate(three[:1], how, unbiased=True)[0] == 1
    assert aggregate(three, "uwo", unbiased=True)[0] == pytest.approx(-4)
    assert aggregate(three, "soft_min", beta=50)[0] == pytest.approx(2.9537, abs=5e-5)


def test_bounds_read_their_k_and_the_soft_minimum_has_its_limits():
    three = np.array([[1.0], [2.0], [6.0]])  # mean 3, variance 14/3
    assert aggregate(three, "lcb", k=2)[0] == pytest.approx(3 - 2 * (14 / 3) ** 0.5)
    assert aggregate(three, "uwo", k=0.5)[0] == pytest.approx(3 - 0.5 * 14 / 3)
    assert aggregate(three, "soft_min", beta=1e-3)[0] == pytest.approx(1, abs=2e-3)
    assert aggregate(three, "soft_min", beta=1e3)[0] == pytest.approx(3 - 14 / 3 / 2e3, abs=1e-4)
