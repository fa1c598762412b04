"""FairIF from rows to weights to a new head, what it is compared with, and influence as a search for wrong labels."""

import numpy as np
import pytest

from plaudit.auditing.influence import Rows, fit_head, unit_scale
from plaudit.auditing.influence_columns import columns
from plaudit.auditing.influence_fair import cross_fitted, crossed, fairif, kinds_of, standing, thin
from plaudit.auditing.influence_noise import harm, pick_ridge
from plaudit.auditing.influence_rivals import balanced, group_dro
from plaudit.auditing.influence_show import fairness_table, show_fairness
from plaudit.auditing.influence_trade import trade, trade_document
from plaudit.data.pairs import targets
from plaudit.errors import OptionError, PlauditError
from plaudit.metrics.detection import auroc
from plaudit.metrics.disparity import squared_gaps
from plaudit.records import group, pair
from plaudit.signals.recipes import steps, treat
from plaudit.training.bags import Pairs
from plaudit.training.heads import RIDGES


def tastes(n: int, seed: int, minority: float = 0.2):
    """Two groups who want different things of the same features; the second is smaller. Rows and their groups."""
    draw = np.random.Generator(np.random.PCG64(seed))
    kind = (draw.random(n) < minority).astype(int)
    gold = np.array([[2.0, 1.0, 0.0, 0.5], [0.0, 1.0, 2.0, 0.5]])
    x = draw.normal(0, 1, (n, 4))
    p = 1 / (1 + np.exp(-(x * gold[kind]).sum(1)))
    x *= np.where(draw.random(n) < p, 1, -1)[:, None]
    return Rows(x, np.ones(n), np.ones(n), np.zeros(n)), kind


TRAIN, GROUPS = tastes(600, 0)
JUDGE, KIND = tastes(400, 1)


def test_small_weights_do_what_was_foreseen():
    found = fairif(TRAIN, JUDGE, KIND, ridge=0.01, penalties=(1000.0, 100.0, 30.0))
    assert found.head.ridge == 0.01
    for trial in found.trials:
        assert trial.foreseen < 0
        assert trial.came / trial.foreseen == pytest.approx(1, abs=0.2)
        assert np.abs(trial.fair.tilt).max() < 0.5


def test_disparity_falls_as_the_penalty_does():
    found = fairif(TRAIN, JUDGE, KIND, ridge=0.01, penalties=(1e9, 10.0, 1.0, 0.1))
    gaps = [squared_gaps(t.realised) for t in found.trials]
    assert gaps[0] == pytest.approx(squared_gaps(found.seen.loss), rel=1e-4)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.5 * gaps[0]
    minority = found.seen.names.index("1")
    assert found.trials[-1].realised[minority] < found.seen.loss[minority]


def test_equal_groups_get_equal_weights():
    """Both groups hold the same validation rows."""
    twice = JUDGE.take(np.r_[0:400, 0:400])
    found = fairif(TRAIN, twice, np.repeat(["a", "b"], 400), ridge=0.1, penalties=(0.01,))
    np.testing.assert_allclose(found.trials[0].fair.weight, 1, atol=1e-9)


def test_small_groups_are_named_and_one_group_is_refused():
    kind = np.where(np.arange(400) < 5, "few", KIND.astype(str))
    assert fairif(TRAIN, JUDGE, kind, ridge=0.1, penalties=(1.0,)).small == ("few",)
    with pytest.raises(PlauditError, match=r"two groups of at least 20 validation rows; there is 1"):
        fairif(TRAIN, JUDGE, np.zeros(400), ridge=0.1)


def test_rows_that_do_not_say_are_no_group():
    silent = np.arange(400) % 3 == 0
    kind = np.where(silent, "", KIND.astype(str))
    found = fairif(TRAIN, JUDGE, kind, ridge=0.1, penalties=(0.1,))
    assert found.seen.names == ("0", "1")
    assert found.small == ()
    alone = fairif(TRAIN, JUDGE.take(~silent), kind[~silent], ridge=0.1, penalties=(0.1,))
    np.testing.assert_allclose(found.trials[0].fair.weight, alone.trials[0].fair.weight, atol=1e-12)
    stands = standing(found.head, JUDGE, kind, np.arange(400))
    assert stands.names == ("0", "1")
    assert stands.rows.sum() == (~silent).sum()
    assert stands.overall == standing(found.head, JUDGE, KIND, np.arange(400)).overall  # they count over all


def test_folds_too_thin_are_named_before_anything_is_fitted():
    fold = np.arange(200) % 5
    kind = np.where(np.arange(200) < 30, "rare", "usual")
    assert thin(kind, fold, 20) == "in fold 1 of 5 only usual (34) has 20 comparisons or more"
    assert thin(kind, fold, 40) == "in fold 1 of 5 no group has 40 comparisons or more"
    assert thin(kind, fold, 6) == ""
    assert thin(np.where(kind == "rare", "", kind), fold, 6).startswith("in fold 1 of 5 only usual")
    rows = TRAIN.take(np.arange(200))
    with pytest.raises(PlauditError, match="two groups of at least 20"):
        crossed(rows, kind, fold, penalties=(1.0,))


def test_groups_left_out_of_some_folds_are_counted():
    fold = np.arange(600) % 5
    kind = np.where(np.isin(np.arange(600), (0, 1, 5, 10, 15)), "few", GROUPS.astype(str))  # four in fold 0
    found = crossed(TRAIN, kind, fold, penalties=(1.0, 0.1), fewest=4)
    assert found.small == {"few": 4}
    assert found.weight.shape == (2, 600)
    np.testing.assert_array_equal(found.weight[0], cross_fitted(TRAIN, kind, fold, penalty=1.0, fewest=4))
    assert np.ptp(found.weight[1]) > np.ptp(found.weight[0])


def test_the_trade_is_judged_by_rows_without_a_say_in_the_weights():
    fold = np.arange(600) % 4
    offers = trade(TRAIN, GROUPS, fold, np.arange(600), penalties=(10.0, 0.1), ridges=(0.01,), fewest=10)
    assert [o.penalty for o in offers] == [None, 10.0, 0.1]
    assert offers[2].standing.loss_gap < offers[0].standing.loss_gap  # they want different things, so weights help
    assert offers[2].standing.accuracy[1] > offers[0].standing.accuracy[1]
    assert offers[0].weights == (1.0, 1.0)
    assert offers[0].ahead[:2] == offers[0].closed == (0.0, 0.0)
    assert offers[2].closed[1] < 0  # surely narrower
    document = trade_document(offers, 0.1)
    assert document["groups"]["1"]["n"] == (GROUPS == 1).sum()
    assert document["groups"]["1"]["loss_after"] == offers[2].standing.loss[1]
    by_hand = fit_head(TRAIN.take(fold != 0), 0.01)
    held = TRAIN.take(fold == 0)
    rest = [fit_head(TRAIN.take(fold != f), 0.01).losses(TRAIN.take(fold == f)) for f in (1, 2, 3)]
    every = np.concatenate([by_hand.losses(held), *rest])
    where = np.concatenate([GROUPS[fold == f] for f in range(4)])
    assert offers[0].standing.loss[1] == pytest.approx(every[where == 1].mean())
    assert trade(TRAIN, GROUPS, np.arange(600) % 2, np.arange(600)) == []
    assert trade_document([], 1.0) == {"groups": {}, "offers": []}


def test_what_weights_buy_is_told_by_whole_prompts():
    prompts = np.repeat(np.arange(120), 5)  # every comparison five times over
    rows, kind = TRAIN.take(prompts), GROUPS[prompts]
    offers = [
        trade(rows, kind, prompts % 3, clusters, penalties=(0.1,), ridges=(0.01,), fewest=10)[1]
        for clusters in (prompts, np.arange(600))
    ]
    for whole, apart in ([o.ahead for o in offers], [o.standing.interval for o in offers]):
        assert whole.high - whole.low > 1.7 * (apart.high - apart.low)


def test_cross_fitted_weights_do_not_rest_on_a_row_s_own_group():
    fold = np.arange(600) % 5
    before = cross_fitted(TRAIN, GROUPS, fold, penalty=1.0, fewest=10)
    other = GROUPS.copy()
    other[0] = 1 - other[0]
    after = cross_fitted(TRAIN, other, fold, penalty=1.0, fewest=10)
    assert after[0] == pytest.approx(before[0], abs=1e-12)
    assert np.abs(after - before)[fold != 0].max() > 1e-6
    assert before[GROUPS == 1].mean() > before[GROUPS == 0].mean()


def test_the_column_narrows_the_gap_on_fresh_rows():
    """From the audit's column through the treatment to a new head: what `repair` and `train` would do with it."""
    weight = cross_fitted(TRAIN, GROUPS, np.arange(600) % 5, penalty=0.3, fewest=10)
    one = np.ones(600)
    treated, _ = treat({"fair_weight": weight}, steps(["fairif"]), one)
    fresh, kind = tastes(3000, 9)
    before = standing(fit_head(TRAIN, 0.01), fresh, kind, np.arange(3000))
    after = standing(fit_head(TRAIN.weighing(treated.weight), 0.01), fresh, kind, np.arange(3000))
    assert after.loss_gap < 0.8 * before.loss_gap
    assert after.accuracy_gap < before.accuracy_gap
    assert after.loss[1] < before.loss[1]


def test_group_dro_lifts_the_worst_group():
    plain = standing(fit_head(TRAIN, 0.01), TRAIN, GROUPS, np.arange(600))
    robust = group_dro(TRAIN, GROUPS, ridge=0.01)
    after = standing(robust.head, TRAIN, GROUPS, np.arange(600))
    assert after.loss.max() < plain.loss.max()
    assert robust.gap < 0.01
    assert robust.share.sum() == pytest.approx(1)
    even = fit_head(TRAIN.weighing(balanced(GROUPS)), 0.01)
    assert after.loss.max() <= standing(even, TRAIN, GROUPS, np.arange(600)).loss.max() + 0.01


def test_standing_counts_ties_of_scores_half_and_leaves_labelled_ties_out():
    rows = Rows(np.array([[1.0], [-1.0], [0.0], [5.0]]), np.array([1, 0, 1, 0.5]), np.ones(4), np.zeros(4))
    head = fit_head(Rows(np.ones((1, 1)), np.ones(1), np.ones(1), np.zeros(1)), 0.1)
    found = standing(head, rows, np.array(["a", "a", "b", "b"]), np.arange(4))
    assert found.accuracy.tolist() == [1.0, 0.5]
    assert found.overall == pytest.approx(2.5 / 3)
    assert found.rows.tolist() == [2, 2]


def test_the_interval_of_a_standing_draws_whole_prompts():
    x, prompts = np.repeat([-1.0, 1.0] * 20, 10)[:, None], np.repeat(np.arange(40), 10)
    rows = Rows(x, np.ones(400), np.ones(400), np.zeros(400))
    head = fit_head(Rows(np.ones((1, 1)), np.ones(1), np.ones(1), np.zeros(1)), 0.1)
    kind = np.where(np.arange(400) % 2, "a", "b")
    whole, apart = (standing(head, rows, kind, clusters).interval for clusters in (prompts, np.arange(400)))
    assert whole.high - whole.low > 2.5 * (apart.high - apart.low)


def planted(n: int, rate: float, seed: int, draws: int = 0):
    gold = np.random.Generator(np.random.PCG64(seed)).normal(0, 1, 8)
    draw = np.random.Generator(np.random.PCG64(1000 + 10 * seed + draws))
    x = draw.normal(0, 1, (n, 8))
    wrong = draw.random(n) < rate
    x *= np.where((x @ gold > 0) ^ wrong, 1, -1)[:, None]
    return Rows(x, np.ones(n), np.ones(n), np.zeros(n)), wrong


def test_harmful_rows_are_the_wrong_ones():
    rows, wrong = planted(500, 0.2, 0)
    fold = np.arange(500) % 5
    found = harm(rows, fold)
    for column in (found.influence, found.own, -found.margin):
        assert auroc(column, wrong) > 0.85
    clean, _ = planted(100, 0.0, 0, draws=7)
    assert auroc(harm(rows, fold, trusted=clean).influence, wrong) > 0.85
    supple = harm(rows, fold, stiff=None)
    assert auroc(supple.influence, wrong) < auroc(found.influence, wrong)
    assert len(found.ridge) == 5
    assert set(found.ridge) <= set(RIDGES)


def test_margin_and_own_influence_are_of_heads_that_never_saw_the_row():
    """Turned round, a row turns its margin round and nothing else about it that is out of fold."""
    rows, _ = planted(200, 0.2, 1)
    fold = np.arange(200) % 4
    before = harm(rows, fold, ridges=(0.1,))
    x = rows.x.copy()
    x[0] *= -1
    after = harm(Rows(x, rows.target, rows.weight, rows.margin), fold, ridges=(0.1,))
    assert after.margin[0] == pytest.approx(-before.margin[0], abs=1e-12)
    lean = 1 / (1 + np.exp(-before.margin[0]))  # own: miss squared times what does not know the label
    assert after.own[0] / lean**2 == pytest.approx(before.own[0] / (1 - lean) ** 2)


def test_influence_is_what_training_without_the_row_does():
    """One fold judges, rows of the others are taken out a little: central differences."""
    rows, _ = planted(90, 0.2, 2)
    fold = np.arange(90) % 2
    found = harm(rows, fold, stiff=0.5)
    judge, inner = rows.take(fold == 1), rows.take(fold == 0)
    head = fit_head(inner, 0.5)
    for at in (0, 20, 44):
        moved = []
        for e in (1e-3, -1e-3):
            weight = np.ones(45)
            weight[at] += e
            moved.append(fit_head(inner.weighing(weight), 0.5, start=head).losses(judge).mean())
        assert found.influence[2 * at] == pytest.approx((moved[0] - moved[1]) / 2e-3 * 45, rel=1e-4)


def test_influence_needs_folds():
    rows, _ = planted(20, 0.2, 1)
    with pytest.raises(PlauditError, match="two folds"):
        harm(rows, np.zeros(20, int))
    assert pick_ridge(rows, np.zeros(20, int), (0.1, 0.2, 0.3), np.ones(8)) == 0.2


def test_a_ridge_is_picked_by_the_folds_held_out():
    """Labels that say nothing: a supple head learns them by heart, and on other folds only a stiff one loses little."""
    draw = np.random.Generator(np.random.PCG64(0))
    x = draw.normal(0, 1, (60, 40)) * np.where(draw.random(60) < 0.5, 1, -1)[:, None]
    rows, fold, scale = Rows(x, np.ones(60), np.ones(60), np.zeros(60)), np.arange(60) % 3, unit_scale(x)
    ridges = (1e-3, 0.1, 10.0)
    by_hand = [
        sum(fit_head(rows.take(fold != f), r, scale=scale).losses(rows.take(fold == f)).sum() for f in range(3))
        for r in ridges
    ]
    assert pick_ridge(rows, fold, ridges, scale) == ridges[int(np.argmin(by_hand))] == 10.0


def test_groups_by_what_a_row_says():
    some = [
        pair("Hi", "Hello there", "Hey", annotator="ann", source="a.jsonl:3", tags={"topic": "greeting"}),
        pair("Hi", "Hey", "Yes?", source="b.jsonl:1"),
        pair("Hi", "Yes", "You"),
        group("Hi", ("a", "bb", "ccc"), (1, 0, 2), annotator="bob"),
    ]
    c = targets(some)
    assert kinds_of(some, c, "annotator").tolist() == ["ann", "", "", "bob", "bob", "bob"]
    assert kinds_of(some, c, "source").tolist() == ["a.jsonl", "b.jsonl", "", "", "", ""]
    longer = kinds_of(some, c, "longer").tolist()
    assert longer[:3] == ["chosen longer", "chosen shorter", "equal"]
    assert sorted(longer[3:]) == ["chosen longer", "chosen shorter", "chosen shorter"]
    assert kinds_of(some, c, "tag:topic").tolist()[:2] == ["greeting", ""]
    with pytest.raises(OptionError, match="annotator, source, longer"):
        kinds_of(some, c, "mood")


def test_columns_for_an_audit():
    """Features of responses in, one value a comparison out; groups add the fair weight."""
    draw = np.random.Generator(np.random.PCG64(4))
    features = draw.normal(0, 1, (400, 5)).astype(np.float32)
    pairs = Pairs(np.arange(200), np.arange(200, 400), np.ones(200), np.ones(200), np.arange(200).astype(np.uint64))
    fold = np.arange(200) % 4
    plain = columns(features, pairs, fold)
    assert set(plain) == {"influence", "self_influence"}
    found = columns(features, pairs, fold, kind=np.where(draw.random(200) < 0.5, "a", "b"), fewest=5)
    assert set(found) == {"influence", "self_influence", "fair_weight"}
    assert all(len(c) == 200 and np.isfinite(c).all() for c in found.values())
    np.testing.assert_array_equal(found["influence"], plain["influence"])
    assert found["fair_weight"].mean() == pytest.approx(1, abs=0.2)
    judged_by = columns(features, pairs, fold, trusted=Rows(np.eye(5), np.ones(5), np.ones(5), np.zeros(5)))
    assert np.abs(judged_by["influence"] - plain["influence"]).max() > 0


def test_the_table_shows_what_each_penalty_buys(capsys):
    found = fairif(
        TRAIN, JUDGE, np.where(np.arange(400) < 3, "few", KIND.astype(str)), ridge=0.01, penalties=(1.0, 0.1)
    )
    test, kind = tastes(300, 2)
    columns, lines = fairness_table(found, test, kind, np.arange(300))
    assert columns == [
        "", "weights", "loss, 0", "loss, 1", "gap", "accuracy, 0", "accuracy, 1", "gap", "accuracy", "95 %",
    ]  # fmt: skip
    assert [line[0] for line in lines] == ["plain", "penalty 1", "penalty 0.1"]
    assert all(len(line) == len(columns) for line in lines)
    assert lines[2][4] < lines[1][4] < lines[0][4]
    show_fairness(found, test, kind, np.arange(300))
    printed = capsys.readouterr()
    assert "penalty 0.1" in printed.out
    assert "left out: few" in printed.err
