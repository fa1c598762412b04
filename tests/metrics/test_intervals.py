"""Intervals: equal in law to drawing rows by hand, ordinary when clusters are single rows, honest in coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.metrics.agreement import spearman, spearman_interval
from plaudit.metrics.intervals import codes, difference_interval, drawn_means, mean_interval, percentiles, wilson
from tiers import examples


def by_hand(values, clusters, draws, seed):
    """Gather whole clusters, one draw after another."""
    values, clusters = np.asarray(values), np.asarray(clusters)
    names = np.unique(clusters)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        rows = np.concatenate([np.flatnonzero(clusters == c) for c in random.choice(names, len(names))])
        means.append(values[rows].mean())
    return np.array(means)


def sample(n_clusters=40, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 6, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), sizes)
    centre = np.repeat(random.random(n_clusters), sizes)
    return (random.random(len(clusters)) < centre).astype(float), clusters


def test_same_law_as_drawing_clusters_by_hand():
    from scipy.stats import ks_2samp

    values, clusters = sample()
    fast, slow = drawn_means(values, clusters, draws=4000, seed=1), by_hand(values, clusters, 3000, 2)
    assert ks_2samp(fast, slow).pvalue > 0.01
    assert abs(fast.std() / slow.std() - 1) < 0.05


def test_clusters_of_one_row_are_the_ordinary_bootstrap():
    from scipy.stats import ks_2samp

    values = np.random.default_rng(3).random(60)
    fast = drawn_means(values, np.arange(60), draws=4000, seed=1)
    rows = np.random.default_rng(4).integers(0, 60, (4000, 60))
    assert ks_2samp(fast, values[rows].mean(axis=1)).pvalue > 0.01


def test_repeating_every_row_within_its_cluster_changes_nothing():
    values, clusters = sample()
    twice = mean_interval(np.repeat(values, 2), np.repeat(clusters, 2))
    assert twice == pytest.approx(mean_interval(values, clusters)[:2] + ("bootstrap",))


def test_ignoring_clusters_would_be_too_narrow():
    values, clusters = np.repeat([0.0, 1.0] * 20, 10), np.repeat(np.arange(40), 10)
    whole, rows = mean_interval(values, clusters), mean_interval(values, np.arange(400))
    assert (whole.high - whole.low) > 2.5 * (rows.high - rows.low)


def test_a_difference_draws_whole_clusters_too():
    values, clusters = np.repeat([0.0, 1.0] * 20, 10), np.repeat(np.arange(40), 10)
    whole, rows = (difference_interval(values, np.full(400, 0.5), c) for c in (clusters, np.arange(400)))
    assert (whole.high - whole.low) > 2.5 * (rows.high - rows.low)


@examples(25)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 40)), min_size=1, max_size=80))
def test_an_interval_lies_in_range_and_is_repeatable(rows):
    values, clusters = map(list, zip(*rows))
    found = mean_interval(values, clusters, draws=300)
    assert 0 <= found.low <= found.high <= 1
    assert found == mean_interval(values, clusters, draws=300)


def test_the_difference_of_a_scorer_and_itself_is_nothing_and_swapping_negates():
    a, clusters = sample(seed=1)
    b = np.random.default_rng(9).permutation(a)
    forth, back = difference_interval(a, b, clusters), difference_interval(b, a, clusters)
    assert difference_interval(a, a, clusters)[:2] == (0, 0)
    assert (forth.low + forth.high) == pytest.approx(-(back.low + back.high), abs=0.03)


def test_a_difference_from_few_prompts_is_not_told_to_the_digit():
    alone = difference_interval([0.5], [1.0], [7])
    assert alone.high - alone.low > 1
    assert alone.low <= -0.5 <= alone.high
    two = difference_interval([1] * 12, [0, 1] * 6, [0, 1] * 6)  # a bootstrap of two prompts says 0 to 1 for sure
    assert two.low < 0 < two.high
    every = difference_interval([1.0] * 30, [0.0] * 30, np.arange(30))
    assert (every.low < 0.9, every.high) == (True, 1.0)
    back = difference_interval([0.0] * 30, [1.0] * 30, np.arange(30))
    assert (-back.high, -back.low) == pytest.approx((every.low, every.high))


def test_two_columns_are_drawn_together():
    values, clusters = sample()
    both = drawn_means(np.column_stack([values, 1 - values]), clusters, draws=50)
    assert both.sum(axis=1) == pytest.approx(np.ones(50))


def test_tiny_and_certain_samples_get_wilson():
    assert mean_interval([1.0] * 100, np.arange(100)).how == "wilson"
    assert mean_interval([1, 0, 1, 1], [0, 1, 2, 3]).how == "wilson"
    assert mean_interval([], []).how == "none"
    assert wilson(0, 10)[0] == 0
    assert wilson(0, 10)[1] == pytest.approx(0.2775, abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_percentiles_and_codes():
    low, high = percentiles(np.arange(1001.0), level=0.9)
    assert (low, high) == pytest.approx((50, 950))
    assert codes([]).shape == (0,)


def test_spearman_agrees_with_scipy():
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, 200), random.integers(0, 5, 200)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(spearman([1, 1], [1, 2]))
    ends = spearman_interval(a, a + random.integers(0, 2, 200), np.arange(200), draws=100)
    assert 0.8 < ends.low < ends.high <= 1


@pytest.mark.parametrize(("clusters", "high"), [([0] * 5, 1), ([0, 1, 2, 3, 4], 1), (list(range(30)), 1)])
def test_a_correlation_from_few_prompts_is_not_certain(clusters, high):
    n = len(clusters)
    ends = spearman_interval(np.arange(n), np.arange(n), clusters)
    assert ends.how == "fisher"
    assert ends.high == pytest.approx(high, abs=1e-9)
    assert ends.low < (0 if n == 5 else 0.99)


@pytest.mark.slow
def test_coverage_of_95_percent_intervals():
    """Sixty prompts of 1 to 8 pairs, correlated within a prompt: the truth is inside about 95 % of the time."""
    random = np.random.default_rng(11)
    hits = clustered_only = 0
    runs = 600
    for run in range(runs):
        sizes = random.integers(1, 9, 60)
        clusters = np.repeat(np.arange(60), sizes)
        centre = np.repeat(random.beta(2, 1, 60), sizes)  # mean 2/3
        values = (random.random(len(clusters)) < centre).astype(float)
        found = mean_interval(values, clusters, draws=600, seed=run)
        naive = mean_interval(values, np.arange(len(values)), draws=600, seed=run)
        hits += found.low <= 2 / 3 <= found.high
        clustered_only += naive.low <= 2 / 3 <= naive.high
    assert 0.91 <= hits / runs <= 0.98, hits / runs
    assert clustered_only < hits
