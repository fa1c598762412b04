"""Many heads at once: each is at its own optimum, none has seen what it votes on, none sees its neighbours."""

import numpy as np
import pytest
import torch

from plaudit.data.split import folds
from plaudit.models.members import Fitted, Member
from plaudit.training import heads
from plaudit.training.bags import Pairs, bootstrap, log_loss
from plaudit.training.heads import fit
from plaudit.training.solve import solve

KINDS = ["linear", "mlp"]


def world(pairs: int, width: int, seed: int = 0, noise: float = 0.0):
    """Features of responses [N, H] and comparisons decided by a linear reward; some labels planted wrong."""
    draw = np.random.Generator(np.random.PCG64(seed))
    x = draw.normal(0, 1, (2 * pairs, width)).astype(np.float32)
    gold = x @ draw.normal(0, 1, width)
    better, worse = np.arange(pairs) * 2, np.arange(pairs) * 2 + 1
    swap = gold[better] < gold[worse]
    flipped = draw.random(pairs) < noise
    swap ^= flipped
    better, worse = np.where(swap, worse, better), np.where(swap, better, worse)
    group = (np.arange(pairs) // 2).astype(np.uint64)
    return x, Pairs(better, worse, np.ones(pairs), np.ones(pairs), group), flipped


def objective(x, weight, target, ridge, w):
    z = x @ w
    share = weight / weight.sum()
    return (share * (torch.nn.functional.softplus(z) - target * z)).sum() + 0.5 * ridge * (w**2).sum()


def test_every_column_is_at_its_own_optimum():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(80, 7, generator=draw, dtype=torch.float64)
    target = (torch.rand(80, generator=draw) < 0.7).double()
    weight = torch.randint(0, 3, (80, 4), generator=draw).double()
    ridge = torch.tensor([0.01, 0.1, 1.0, 0.03], dtype=torch.float64)
    heads = solve(x, weight, target, ridge, tolerance=1e-10)
    for g in range(4):
        w = heads[:, g].clone().requires_grad_()
        objective(x, weight[:, g], target, ridge[g], w).backward()
        assert w.grad.abs().max() < 1e-8
        alone = solve(x, weight[:, g : g + 1], target, ridge[g : g + 1], tolerance=1e-10)[:, 0]
        torch.testing.assert_close(alone, heads[:, g], rtol=0, atol=1e-8)


def test_separable_pairs_do_not_run_away():
    x = torch.eye(3) * 50
    heads = solve(x, torch.ones(3, 1), torch.ones(3), torch.tensor([1e-4]))
    assert torch.isfinite(heads).all()
    assert (x @ heads > 0).all()


def test_no_rows_and_no_weight_give_silent_heads():
    assert (solve(torch.zeros(0, 3), torch.zeros(0, 2), torch.zeros(0), torch.ones(2)) == 0).all()
    assert (solve(torch.ones(2, 3), torch.zeros(2, 1), torch.ones(2), torch.ones(1)) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_reward_is_found_out_of_fold(kind):
    x, pairs, _ = world(600, 8)
    margins, fitted = fit(lambda v: x, pairs, folds(pairs.group, 5), [Member(0, kind, s) for s in range(3)])
    assert margins.shape == (600, 3)
    assert (margins > 0).mean() > 0.87
    assert all(len(f.bag_loss) == 5 for f in fitted)
    np.testing.assert_allclose((margins**2).mean(0), 1, atol=0.15)  # one scale for all members


@pytest.mark.parametrize("kind", KINDS)
def test_no_member_has_seen_what_it_votes_on(kind):
    """Other labels in a fold change the votes on other folds, never those on the fold itself."""
    x, pairs, _ = world(120, 5)
    fold = folds(pairs.group, 3)
    members = [Member(0, kind, s) for s in range(2)]
    before, _ = fit(lambda v: x, pairs, fold, members)
    rows = fold == 1
    other = Pairs(
        np.where(rows, pairs.worse, pairs.better), np.where(rows, pairs.better, pairs.worse),
        pairs.target, pairs.weight, pairs.group,
    )  # fmt: skip
    after, _ = fit(lambda v: x, other, fold, members)
    np.testing.assert_allclose(after[rows], -before[rows], atol=2e-4)
    assert np.abs(after[~rows] - before[~rows]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_member_has_seen_what_it_votes_on_after_learning_again(kind, monkeypatch):
    """The same with lessons long enough that members lose trust in some of their rows and learn again."""
    rounds = []
    monkeypatch.setattr(heads, "_round", lambda *a, real=heads._round: rounds.append(a[5].copy()) or real(*a))
    x, pairs, _ = world(900, 8, noise=0.25)
    fold = folds(pairs.group, 2)
    members = [Member(0, kind, s) for s in range(3)]
    before, _ = fit(lambda v: x, pairs, fold, members, rounds=1)
    assert len(rounds) == 2
    assert rounds[1].min() < 0.5 < rounds[1].mean()  # some rows of the lesson were not believed
    rows = fold == 1
    other = Pairs(
        np.where(rows, pairs.worse, pairs.better), np.where(rows, pairs.better, pairs.worse),
        pairs.target, pairs.weight, pairs.group,
    )  # fmt: skip
    after, _ = fit(lambda v: x, other, fold, members, rounds=1)
    np.testing.assert_allclose(after[rows], -before[rows], atol=2e-4)
    assert np.abs(after[~rows] - before[~rows]).max() > 1e-3


@pytest.mark.slow
def test_members_learn_again_where_labels_seem_wrong_and_only_there():
    for noise in (0.0, 0.25):
        x, pairs, _ = world(900, 8, noise=noise)
        fold, members = folds(pairs.group, 5), [Member(0, "linear", s) for s in range(3)]
        once, again = (fit(lambda v, x=x: x, pairs, fold, members, rounds=r)[0] for r in (0, 4))
        assert np.array_equal(once, again) == (noise == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_members_do_not_see_each_other(kind):
    x, pairs, _ = world(80, 5)
    fold = folds(pairs.group, 3)
    crew = [Member(0, kind, 3), Member(0, kind, 9)]
    both, _ = fit(lambda v: x, pairs, fold, crew, ridges=(0.1,))
    alone, _ = fit(lambda v: x, pairs, fold, crew[1:], ridges=(0.1,))
    np.testing.assert_allclose(both[:, 1:], alone, atol=2e-3)
    assert np.abs(both[:, 0] - both[:, 1]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights_give_the_same_votes(kind):
    x, pairs, _ = world(90, 5)
    fold = folds(pairs.group, 3)
    margins, (one,) = fit(lambda v: x, pairs, fold, [Member(0, kind, 1)])
    scores = one.scores(x)  # [F, N]
    assert scores.shape == (3, 180)
    again = np.array([scores[f, b] - scores[f, w] for f, b, w in zip(fold, pairs.better, pairs.worse)])
    np.testing.assert_allclose(again, margins[:, 0], atol=1e-4)


def test_views_are_taken_one_at_a_time():
    x, pairs, _ = world(60, 4)
    asked = []

    def view(v):
        asked.append(v)
        return x[:, : 2 + v]

    margins, fitted = fit(view, pairs, folds(pairs.group, 3), [Member(1), Member(0), Member(1, "mlp")])
    assert asked == [0, 1]
    assert [f.weights["w"].shape[1] for f in fitted[:2]] == [3, 2]
    assert margins.shape == (60, 3)


def test_in_sample_members_of_one_view_are_not_one_head():
    x, pairs, _ = world(120, 12, noise=0.1)
    fold = folds(pairs.group, 5)
    votes, found = fit(lambda v: x, pairs, fold, [Member(0, "linear", k) for k in range(3)], in_sample=True)
    assert [f.weights["w"].shape[0] for f in found] == [1, 1, 1]  # one lesson, all rows
    apart = np.corrcoef(votes.T)[np.triu_indices(3, 1)]
    assert ((apart > 0.5) & (apart < 0.9999)).all()


def test_planted_flips_are_seen_out_of_fold_and_learned_in_sample():
    x, pairs, flipped = world(400, 60, noise=0.25)
    fold = folds(pairs.group, 5)
    out, _ = fit(lambda v: x, pairs, fold, [Member(0, seed=s) for s in range(3)])
    inside, _ = fit(lambda v: x, pairs, fold, [Member(0)], in_sample=True, ridges=(1e-5,))  # hardly any ridge
    assert (out.mean(1)[flipped] < 0).mean() > 0.6
    assert flipped[out.mean(1) < 0].mean() > 1.5 * 0.25  # precision: far above the rate
    assert (inside.mean(1)[flipped] < 0).mean() < (out.mean(1)[flipped] < 0).mean()


def test_a_group_is_drawn_whole():
    groups = np.repeat(np.arange(50, dtype=np.uint64), 3)
    counts = bootstrap(groups, 7)
    assert (np.ptp(counts.reshape(50, 3), 1) == 0).all()
    assert counts.reshape(50, 3)[:, 0].sum() == 50
    assert 0.2 < (counts == 0).mean() < 0.55
    assert (bootstrap(groups, 7) == counts).all()
    assert (bootstrap(groups, 8) != counts).any()


def test_log_loss_by_hand():
    z = np.array([[2.0, 0.0], [-1.0, 0.0]])
    found = log_loss(z, np.array([1.0, 0.0]), np.array([1.0, 3.0]))
    assert found[0] == pytest.approx((np.log1p(np.exp(-2)) + 3 * np.log1p(np.exp(-1))) / 4)
    assert found[1] == pytest.approx(np.log(2))
    assert np.isnan(log_loss(z[:0], z[:0, 0], z[:0, 0])).all()


def test_a_member_scores_features_of_no_response():
    one = Fitted(Member(0), {"w": np.ones((2, 3), np.float32)}, np.zeros(2), np.zeros(2))
    assert one.scores(np.zeros((0, 3), np.float32)).shape == (2, 0)
