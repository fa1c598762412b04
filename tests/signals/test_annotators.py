"""Agreement and reliability: published numbers, identities, planted annotators, and crowd-kit on real judgements."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.data.checks import _judgements as judgements
from plaudit.data.read import read
from plaudit.records import Preference
from plaudit.signals.annotators import (
    _data,
    coincidences,
    coincidences_between,
    dawid_skene,
    krippendorff,
    noisy_bradley_terry,
)

# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C: four observers, twelve units, 0 = missing.
OBSERVERS = ("123321412000", "123322412503", "033323422510", "123324412510")


def crowd(*skills, items=3000, seed=0):
    """Judgements of every item by every annotator of these skills: item, annotator, label, truth."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 2, items)
    right = draw.random((items, len(skills))) < np.array(skills)
    label = np.where(right, truth[:, None], 1 - truth[:, None])
    return np.repeat(np.arange(items), len(skills)), np.tile(np.arange(len(skills)), items), label.ravel(), truth


judged = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=40)


def columns(rows):
    item, who, label = (np.array(part, np.int64) for part in zip(*rows))
    return np.unique(item, return_inverse=True)[1], np.unique(who, return_inverse=True)[1], label


def test_alpha_is_the_published_one():
    table = np.array([[int(c) for c in row] for row in OBSERVERS])
    who, item = np.nonzero(table)
    found = krippendorff(item, table[who, item] - 1, 5)
    assert found.alpha == pytest.approx(0.743, abs=5e-4)
    assert found.pairs == sum(n * (n - 1) / 2 for n in np.bincount(item))


@given(judged, st.permutations(range(3)))
def test_names_and_order_of_labels_change_no_agreement(rows, names):
    item, _, label = columns(rows)
    one = krippendorff(item, label, 3)
    other = krippendorff(item[::-1], np.array(names)[label[::-1]], 3)
    assert one == pytest.approx(other, nan_ok=True)
    assert np.isnan(one.alpha) or one.alpha <= 1 + 1e-12


@given(judged)
def test_coincidences_hold_every_pair_once_from_each_side(rows):
    item, _, label = columns(rows)
    table = coincidences(item, label, 3)
    several = np.bincount(item)
    np.testing.assert_allclose(table, table.transpose(0, 2, 1))
    np.testing.assert_allclose(table.sum((1, 2)), np.where(several > 1, several, 0))


@given(judged)
def test_between_annotators_who_judge_once_nothing_changes_and_nobody_disagrees_with_himself(rows):
    item, who, label = columns(rows)
    first = np.unique(np.column_stack([item, who]), axis=0, return_index=True)[1]
    once = item[first], label[first]
    np.testing.assert_allclose(
        coincidences_between(once[0], who[first], once[1], 3), coincidences(*once, 3), atol=1e-12
    )
    table = coincidences_between(item, who, label, 3)
    people = np.bincount(np.unique(np.column_stack([item, who]), axis=0)[:, 0])
    np.testing.assert_allclose(table.sum((1, 2)), np.where(people > 1, people, 0), atol=1e-12)
    assert not coincidences_between(item, np.zeros_like(who), label, 3).any()


@settings(deadline=None)
@given(judged, st.booleans())
def test_a_weight_counts_an_item_as_often(rows, one_coin):
    item, who, label = columns(rows)
    twice = np.concatenate([item, item + item.max() + 1])
    options = {"one_coin": one_coin, "steps": 5, "tolerance": -1.0}
    doubled = dawid_skene(twice, np.tile(who, 2), np.tile(label, 2), 3, **options)
    weighed = dawid_skene(item, who, label, 3, weight=np.full(item.max() + 1, 2.0), **options)
    np.testing.assert_allclose(weighed.truth, doubled.truth[: item.max() + 1], atol=1e-8)
    np.testing.assert_allclose(weighed.skill, doubled.skill, atol=1e-8)
    np.testing.assert_allclose(weighed.errors.sum(2), 1)


def test_planted_skills_are_found_and_outvote_the_majority():
    skills = (0.95, 0.6, 0.62, 0.6, 0.5)
    item, who, label, truth = crowd(*skills)
    for one_coin in (True, False):
        found = dawid_skene(item, who, label, 2, one_coin=one_coin, even=True)
        np.testing.assert_allclose(found.skill, skills, atol=0.035)
        majority = (np.bincount(item, label) > 2.5) == truth
        assert ((found.truth[:, 1] > 0.5) == truth).mean() > majority.mean() + 0.05


def test_two_annotators_come_out_equal_and_pull_keeps_the_few_near_the_rest():
    item, who, label, _ = crowd(0.9, 0.7)
    two = dawid_skene(item, who, label, 2, one_coin=True, even=True).skill
    assert two[0] == pytest.approx(two[1])
    item, who, label, _ = crowd(0.9, 0.8, 0.85, items=200)
    late = np.concatenate([[0], item]), np.concatenate([[3], who]), np.concatenate([[1 - label[0]], label])
    assert dawid_skene(*late, 2, one_coin=True, even=True).skill[3] < 0.2
    assert dawid_skene(*late, 2, one_coin=True, even=True, pull=4.0).skill[3] > 0.6


def circle(*, people=4, responses=12, each=1000, seed=1):
    """Comparisons of known scores by annotators who look, look seldom, always pick the left, and never look."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(0, 2, responses)
    who = np.repeat(np.arange(people), each)
    left = draw.integers(0, responses, len(who))
    right = (left + draw.integers(1, responses, len(who))) % responses
    looks = draw.random(len(who)) < np.array([1.0, 0.6, 0.0, 0.0])[who]
    won = draw.random(len(who)) < 1 / (1 + np.exp(scores[right] - scores[left]))
    habit = draw.random(len(who)) < np.array([0.5, 0.5, 0.97, 0.5])[who]
    return left, right, np.where(looks, won, habit), who, scores


def test_noisy_bradley_terry_finds_who_looks_and_who_picks_a_side():
    left, right, won, who, scores = circle()
    fit = noisy_bradley_terry(left, right, won, who, ridge=0.01)
    assert np.corrcoef(fit.scores, scores)[0, 1] > 0.97
    np.testing.assert_allclose(fit.skill, [1.0, 0.6, 0.0, 0.0], atol=0.12)
    assert fit.habit[2] > 0.9
    assert abs(fit.habit[3] - 0.5) < 0.1


def test_the_gradient_is_that_of_the_likelihood():
    left, right, won, who, _ = circle(each=30)
    sign = np.where(won, 1.0, -1.0)
    x = np.random.default_rng(0).normal(0, 1, 12 + 8)
    value, slope = _data(x, left, right, sign, who, 12, 4)
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-6
        ends = [_data(x + s * step, left, right, sign, who, 12, 4)[0] for s in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope[i], abs=1e-5)
    assert value < 0


def real(data, name):
    found = [r for row in read([data / name]) for r in row.records if isinstance(r, Preference)]
    return judgements.once(judgements.of_preferences(found)[0])


FILES = ("pandalm/testset-v1.json.gz", "tldr_workers/comparisons.parquet")


def quiet(name):
    """A module of an outside package that warns when imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason="crowd-kit is not installed: pip install 'plaudit[oracles]'")


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_dawid_skene_equals_crowd_kit(data, name):
    """Largest differences seen: 1e-10; with full matrices on the TL;DR workers 5e-4, see below."""
    crowdkit, pandas = quiet("crowdkit.aggregation"), quiet("pandas")
    table = real(data, name)
    label = np.where(table.low_won < 0, 2, table.low_won).astype(np.int64)
    classes = int(label.max()) + 1
    frame = pandas.DataFrame({"task": table.item, "worker": table.annotator, "label": label})
    for one_coin in (True, False):
        model = crowdkit.OneCoinDawidSkene if one_coin else crowdkit.DawidSkene
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = model(n_iter=40, tol=-1e9).fit(frame).probas_.sort_index()
        ours = dawid_skene(table.item, table.annotator, label, classes, one_coin=one_coin, steps=40, tolerance=-1)
        # Workers who never gave one of the labels: crowd-kit has no row for it, we have a count of 1e-10.
        few = not one_coin and "tldr" in name
        gap = np.abs(theirs[sorted(theirs.columns)].to_numpy() - ours.truth).max()
        assert gap < (2e-3 if few else 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_noisy_bradley_terry_fits_better_than_crowd_kit_by_its_own_likelihood(data, name):
    """Its gradient keeps only the last judgement of each worker, so it stops early; its likelihood is ours.

    Seen: log likelihood -100 against its -234 (PandaLM), -60 against -211 (TL;DR workers), with its own regulariser's
    weight; of the pairs that our scores put 1 or more apart, all are in the same order.
    """
    crowdkit, pandas = quiet("crowdkit.aggregation"), quiet("pandas")
    table = real(data, name)
    table = table.only(table.low_won >= 0)
    nodes, place = np.unique(np.concatenate([table.first_node, table.second_node]), return_inverse=True)
    left, right = place[: len(table)], place[len(table) :]
    won = (table.low_won == 1) == table.low_first
    people, who = np.unique(table.annotator, return_inverse=True)
    frame = pandas.DataFrame({"worker": who, "left": left, "right": right, "label": np.where(won, left, right)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = crowdkit.NoisyBradleyTerry(n_iter=200, tol=1e-9).fit(frame)
    parts = (
        np.clip(c.sort_index().to_numpy(), 1e-9, 1 - 1e-9) for c in (theirs.scores_, theirs.biases_, theirs.skills_)
    )
    x = np.concatenate([np.log(p / (1 - p)) for p in parts])
    sign = np.where(won, 1.0, -1.0)
    value = _data(x, left, right, sign, who, len(nodes), len(people))[0]
    rows = np.column_stack([left, right, np.where(won, left, right)]) + 1
    same = theirs._compute_log_likelihood(np.concatenate([[0.0], x]), rows, who, len(nodes), len(people), 0.0)
    assert value == pytest.approx(-same, rel=1e-9)
    ours = noisy_bradley_terry(left, right, won, who, ridge=1e-5, steps=2000)
    assert ours.log_likelihood > value
    sure = np.abs(ours.scores[left] - ours.scores[right]) > 1
    score = x[: len(nodes)]
    assert ((score[left] > score[right]) == (ours.scores[left] > ours.scores[right]))[sure].mean() > 0.99
