"""Treatments: the contract of every part, the formulas of the paper's recipes, and options by name."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.errors import OptionError, PlauditError
from plaudit.losses import bradley_terry
from plaudit.signals.recipes import PRESETS, ROOM, options_of, steps, treat, with_margin
from plaudit.signals.select import selected
from plaudit.signals.targets import Targets, unchanged
from plaudit.signals.treatments import _contract, decide, margin, smooth

PARTS = catalog.names(ROOM)
MEAN = np.array([-2.0, -0.5, 0.1, 1.0, 3.0])
COLUMNS = {"mean": MEAN, "p_disagree": 1 / (1 + np.exp(MEAN)), "p_wrong": np.array([0.9, 0.6, 0.3, 0.1, 0.0])}
ONE = np.ones(5)


@pytest.mark.parametrize("check", _contract.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", PARTS)
def test_every_treatment_keeps_the_contract(name, check):
    check(catalog.load(ROOM, name))


def loss(found: Targets, gap: np.ndarray) -> np.ndarray:
    """The pair kernel on these columns at score differences `gap` in the orientation the rows came in."""
    t = torch.as_tensor
    value = bradley_terry.loss(
        chosen=t(gap), rejected=t(0 * gap), target=t(found.target), margin=t(found.margin)
    )  # fmt: skip
    return (t(found.weight) * value).numpy()


def softplus(x):
    return np.logaddexp(0, x)


def test_the_combined_recipes_are_the_papers_losses():
    gap = np.array([0.3, -1.0, 2.0, 0.0, 0.7])
    plain, _ = treat(COLUMNS, steps(["flip:quantile=0.2"]), ONE)
    assert plain.target.tolist() == [0, 1, 1, 1, 1]
    np.testing.assert_allclose(loss(plain, gap), softplus(np.array([1, -1, -1, -1, -1]) * gap))
    both, _ = treat(COLUMNS, steps(["margin"]), ONE)
    np.testing.assert_allclose(loss(both, gap), softplus(-(gap - MEAN)))
    # flipped first: the pair is turned round and its strength with it
    turned, _ = treat(COLUMNS, steps(["flip:quantile=0.2", "margin"]), ONE)
    expected = softplus(-(gap - MEAN))
    expected[0] = softplus(-((-gap[0]) - (-MEAN[0])))
    np.testing.assert_allclose(loss(turned, gap), expected)
    soft, _ = treat(COLUMNS, steps(["soft-margin"]), ONE)
    d = gap - MEAN
    alpha = np.where(MEAN < 0, 0.2, 0.0)
    np.testing.assert_allclose(loss(soft, gap), (1 - alpha) * softplus(-d) + alpha * softplus(d))


def test_smoothing_has_the_minimum_of_the_spec():
    found = smooth.treat(np.ones(1), np.zeros(1), np.ones(1), alpha=0.1)
    at = np.array([2.197225])
    assert loss(found, at)[0] == pytest.approx(0.325083, abs=1e-6)
    assert loss(found, at + 0.01)[0] > loss(found, at)[0] < loss(found, at - 0.01)[0]


def test_smoothing_by_a_fifth_costs_the_entropy_of_a_fifth():
    found = smooth.treat(np.ones(1), np.zeros(1), np.ones(1), alpha=0.2)
    assert loss(found, np.log([4.0]))[0] == pytest.approx(0.5004, abs=5e-5)


def test_weights_by_hand():
    p = COLUMNS["p_disagree"]
    for words, wanted in [
        (["weight"], 1 - p),
        (["weight:by=certainty"], np.abs(1 - 2 * p)),
        (["weight:power=2"], (1 - p) ** 2),
        (["weight:floor=0.3"], np.maximum(1 - p, 0.3)),
        (["weight:power=2,floor=0.3"], np.maximum((1 - p) ** 2, 0.3)),
        (["flip:below=0", "weight"], np.where(MEAN < 0, p, 1 - p)),  # once flipped, the committee agrees by p
    ]:
        np.testing.assert_allclose(treat(COLUMNS, steps(words), ONE)[0].weight, wanted, err_msg=str(words))


def test_a_scale_stretches_margins_and_a_threshold_says_what_is_mended():
    untold = {**COLUMNS, "p_wrong": np.full(5, np.nan)}
    for words in ("margin:scale=3", "mend:scale=3"):
        np.testing.assert_allclose(treat(untold, steps([words]), ONE)[0].margin, 3 * MEAN)
    for above, wanted in ((0.6, [0, 0, 1, 1, 1]), (0.65, [0, 0.8, 1, 1, 1]), (0.9, [0.8, 0.8, 1, 1, 1])):
        assert treat(untold, steps([f"mend:above={above}"]), ONE)[0].target.tolist() == wanted


def test_flipping_twice_is_the_identity():
    once, _ = treat(COLUMNS, steps(["flip:below=0"]), ONE)
    assert once.target.tolist() == [0, 0, 1, 1, 1]
    twice, _ = treat(COLUMNS, steps(["flip:below=0", "flip:below=0"]), ONE)
    assert twice.target.tolist() == ONE.tolist()


@pytest.mark.parametrize("name", ["flip", "drop"])
def test_without_a_condition_those_change_that_the_committee_sees_the_other_way_round(name):
    _, (touched,) = treat(COLUMNS, steps([name]), ONE)
    assert np.flatnonzero(touched).tolist() == [0, 1]  # p_disagree above 0.5


@pytest.mark.parametrize("mode", ["signed", "abs_after_flip", "clamp0"])
def test_margins_look_where_the_label_points(mode):
    """Turning a row round (flip, mean, margin) asks for the same difference, seen from the other side."""
    target = np.array([1.0, 0, 1, 0, 1])
    here = margin.treat(MEAN, ONE, target, 0 * ONE, ONE, mode=mode).margin
    there = margin.treat(-MEAN, ONE, 1 - target, 0 * ONE, ONE, mode=mode).margin
    np.testing.assert_allclose(here, -there)
    sign = np.where(target < 0.5, -1, 1)
    if mode == "abs_after_flip":
        np.testing.assert_allclose(sign * here, np.abs(MEAN))
    if mode == "clamp0":
        assert (sign * here >= 0).all()


def test_what_a_person_decided_goes_before_the_committee():
    decision = np.array(["flip", "keep", "tie", "drop", ""])
    found, _ = treat({**COLUMNS, "decision": decision}, steps(["flip:above=0.5", "margin", "decide"]), ONE)
    assert found.target.tolist() == [0, 1, 0.5, 1, 1]
    assert found.margin.tolist() == [0, 0, 0, 0, 3]
    assert found.weight.tolist() == [1, 1, 1, 0, 1]
    with pytest.raises(PlauditError, match="maybe"):
        decide.treat(np.array(["maybe"]), np.ones(1), np.ones(1), np.zeros(1), np.ones(1))


def test_a_margin_is_decided_where_a_step_speaks_of_it_and_nowhere_else():
    told = np.array([0.9, 0.2, np.nan, np.nan, np.nan])
    columns = {**COLUMNS, "p_wrong": told}
    label = np.array([1, 1, 1, 1, 0.5])
    for words, wanted in [
        ("mend", [0, 0, 1, 1, 0]),  # told rows are flipped or left; a tie asks for no difference
        ("margin:mode=clamp0", [1] * 5),
        ("margin:above=0.5", [1, 1, 0, 0, 0]),
        ("flip:above=0.5", [0] * 5),
    ]:
        assert with_margin(columns, steps([words]), label).tolist() == wanted, words


def test_what_a_person_kept_stays_whole_after_labels_were_softened_to_one_half():
    found, _ = treat(
        {**COLUMNS, "decision": np.array(["flip", "keep", "", "", ""])}, steps(["smooth:alpha=0.5", "decide"]), ONE
    )
    assert found.target.tolist() == [0, 1, 0.5, 0.5, 0.5]


def test_where_only_some_rates_are_told_the_other_rows_stay_as_they_are():
    told = np.array([0.9, 0.2, np.nan, np.nan, np.nan])
    found, _ = treat({**COLUMNS, "p_wrong": told}, steps(["flip:wrong=0.5", "weight:by=right"]), ONE)
    assert found.target.tolist() == [0, 1, 1, 1, 1]
    np.testing.assert_allclose(found.weight, [0.9, 0.8, 1, 1, 1])
    with pytest.raises(OptionError, match="left empty"):
        treat({**COLUMNS, "p_wrong": np.full(5, np.nan)}, steps(["flip:wrong=0.5"]), ONE)


@given(st.floats(0, 1))
def test_a_quantile_takes_that_part(q):
    rows = selected(MEAN, COLUMNS["p_disagree"], COLUMNS["p_wrong"], ONE, quantile=q)
    assert rows.sum() == int(q * 5 + 1e-9)
    assert MEAN[rows].max(initial=-np.inf) <= MEAN[~rows].min(initial=np.inf)


def test_a_quantile_is_not_one_row_short_where_floats_round_down():
    mean = np.arange(100.0)
    rows = selected(mean, mean, mean, np.ones(100), quantile=0.29)  # 0.29 * 100 is 28.999999999999996
    assert rows.sum() == 29


@pytest.mark.parametrize(
    "step", ["smooth:alpha=2", "soften:strength=3", "mend:alpha=-1", "weight:floor=2", "weight:power=-1"]
)
def test_options_that_would_give_no_probability_or_no_weight_are_refused(step):
    with pytest.raises(OptionError, match=step.partition(":")[2].partition("=")[0]):
        treat(COLUMNS, steps([step]), ONE)


def test_a_quantile_counts_judged_rows_only():
    target = np.array([0.5, 1, 1, 1, 1])
    assert selected(MEAN, COLUMNS["p_disagree"], COLUMNS["p_wrong"], target, quantile=0.25).tolist() == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_a_chance_of_being_wrong_needs_a_noise_model():
    found, _ = treat(COLUMNS, steps(["flip:wrong=0.8", "drop:wrong=0.5"]), ONE)
    assert found.target.tolist() == [0, 1, 1, 1, 1]
    assert found.weight.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(OptionError, match="p_wrong, which this audit left empty"):
        treat({**COLUMNS, "p_wrong": np.full(5, np.nan)}, steps(["flip:wrong=0.8"]), ONE)


def test_steps_say_which_rows_they_changed():
    _, touched = treat(COLUMNS, steps(["flip:quantile=0.2", "drop:above=0.6", "smooth:alpha=0.1"]), ONE)
    assert [t.tolist() for t in touched] == [
        [True, False, False, False, False], [True, True, False, False, False], [True] * 5]  # fmt: skip


@pytest.mark.parametrize("name", ["flip", "drop", "smooth", "soften", "margin", "weight", "weight:by=right", "fairif"])
@pytest.mark.parametrize(
    ("condition", "rows"),
    [("quantile=0.4", [0, 1]), ("above=0.6", [0, 1]), ("below=0.5", [0, 1, 2]), ("wrong=0.8", [0])],
)
def test_every_treatment_can_be_told_which_rows(name, condition, rows):
    columns = {**COLUMNS, "fair_weight": np.array([0.5, 1.5, 0.8, 2.0, 0.1])}
    everywhere, _ = treat(columns, steps([f"{name}{',' if ':' in name else ':'}quantile=1"]), ONE)
    found, (touched,) = treat(columns, steps([f"{name}{',' if ':' in name else ':'}{condition}"]), ONE)
    assert np.flatnonzero(touched).tolist() == rows
    for column in ("target", "margin", "weight"):
        wanted = getattr(unchanged(ONE), column).copy()
        wanted[rows] = getattr(everywhere, column)[rows]
        np.testing.assert_array_equal(getattr(found, column), wanted)
    with pytest.raises(OptionError, match="unknown option"):
        steps([f"decide:{condition}"])


def test_every_mistake_in_the_names_is_told_at_once():
    with pytest.raises(OptionError) as caught:
        steps(["flipp", "smooth:alfa=0.1", "smooth:alpha=much", "margin:mode=odd"])
    assert len(caught.value.mistakes) == 4
    assert "did you mean 'flip'" in str(caught.value)
    assert "soft-margin" in str(caught.value)
    assert "decide" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("margin:mode=foo", "margin: mode must be signed, abs_after_flip or clamp0, not 'foo'"),
        ("flip:above=much", "flip: above cannot be 'much', which is not a number"),
        ("flip:above=nan", "flip: above cannot be 'nan', which is not a number"),
        ("margin:scale=inf", "margin: scale cannot be 'inf', which is not a finite number"),
    ],
)
def test_a_wrong_value_is_told_with_what_it_may_be(word, said):
    with pytest.raises(OptionError) as caught:
        steps([word])
    assert str(caught.value) == f"treatment {said}"


@pytest.mark.parametrize("name", PARTS)
def test_every_option_has_a_default(name):
    part = catalog.load(ROOM, name)
    assert set(options_of(part.treat)) == set(part.treat.__kwdefaults__ or {})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_work(name):
    found, _ = treat(COLUMNS, steps([name]), ONE)
    assert isinstance(found, Targets)
    assert len(found) == 5


def test_presets_flip_a_tenth_and_one_of_them_asks_for_the_mean():
    mean = np.linspace(-2, 3, 20)
    columns = {"mean": mean, "p_disagree": 1 / (1 + np.exp(mean)), "p_wrong": np.zeros(20)}
    for name, margins in (("flip-10", 0 * mean), ("flip-10-margin", mean)):
        found, _ = treat(columns, steps([name]), np.ones(20))
        assert found.target.tolist() == [0] * 2 + [1] * 18
        np.testing.assert_allclose(found.margin, margins)


def test_a_missing_column_is_named():
    with pytest.raises(OptionError, match="needs the column 'mean'"):
        treat({}, steps(["margin"]), ONE)


def test_nothing_asked_nothing_changed():
    found, touched = treat(COLUMNS, [], np.array([1, 0.5]))
    assert touched == []
    before = unchanged(np.array([1, 0.5]))
    assert (found.target == before.target).all()
