"""A committee is a folder and a scorer: saved and loaded it votes alike, and it knows its trunk."""

import json

import numpy as np
import pytest

from plaudit.auditing.crew import crew, layers_of
from plaudit.data.worlds import make
from plaudit.errors import OptionError, PlauditError
from plaudit.folders import publish
from plaudit.models.committee import FILE, Committee, TrunkSpec, load_committee, load_trunk
from plaudit.models.features import features, narrowed
from plaudit.models.members import LENGTH, Member, View, length_features, view_matrix
from plaudit.records import group, pair
from plaudit.rewards.load import load
from plaudit.scorer import Panel
from plaudit.training.bags import Pairs
from plaudit.training.heads import fit


@pytest.fixture(scope="module")
def rows():
    return list(make("text-v1", n=60, seed=3).preferences)


@pytest.fixture(scope="module")
def made(rows, tmp_path_factory):
    """A committee of four on `tiny`: two views, an MLP, length."""
    trunk = load_trunk("tiny", budget=600)
    spec = TrunkSpec("tiny", trunk.fingerprint, "float32", trunk.loaded.policy.max_length, (2, 1), ("read", "mean"))
    views = [View(0, 2, "read"), View(0, 1, "mean"), LENGTH]
    members = [Member(0), Member(1, "linear", 4), Member(1, "mlp", 5), Member(2)]
    read = features(trunk, rows, tmp_path_factory.mktemp("features"), layers=spec.layers, pools=spec.pools)
    best = np.array([p.comparisons()[0][0] for p in rows]) + 2 * np.arange(60)
    worst = np.array([p.comparisons()[0][1] for p in rows]) + 2 * np.arange(60)
    pairs = Pairs(best, worst, np.ones(60), np.ones(60), np.arange(60).astype(np.uint64))
    margins, fitted = fit(lambda v: view_matrix(views[v], [read], rows), pairs, np.arange(60) % 3, members)
    return Committee([trunk], [spec], views, fitted), read


def test_it_scores_like_its_members(made, rows):
    committee, read = made
    assert isinstance(committee, Panel)
    votes = committee.votes_all(rows)
    assert [v.shape for v in votes[:2]] == [(4, 2), (4, 2)]
    flat = committee.member_scores([read], rows)
    np.testing.assert_allclose(np.concatenate(votes, 1), flat, atol=1e-4)
    for mean, each in zip(committee.score_all(rows), votes):
        np.testing.assert_allclose(mean, each.mean(0))


def test_a_linear_member_adds_one_number_a_feature_and_fold(made):
    """Linear-layer ensembles (arXiv 2401.16635): the trunk once, and M times D numbers; margins need no bias."""
    committee, _ = made
    width = committee.trunks[0].loaded.model.config.hidden_size
    assert [sum(a.size for a in f.weights.values()) for f in committee.fitted[:2]] == [3 * width] * 2


def test_saved_and_loaded_it_votes_alike(made, rows, tmp_path):
    committee, _ = made
    with publish(tmp_path / "committee") as part:
        committee.save(part)
    again = load_committee(tmp_path / "committee", budget=900)
    assert again.names == committee.names
    assert again.fingerprint == committee.fingerprint
    for one, other in zip(committee.votes_all(rows[:9]), again.votes_all(rows[:9])):
        np.testing.assert_allclose(one, other, atol=1e-5)
    handle = load(tmp_path / "committee")
    np.testing.assert_allclose(handle.score_all(rows[:3])[1], committee.score_all(rows[:3])[1], atol=1e-5)
    lowest = load_committee(tmp_path / "committee", combine="min")
    assert lowest.fingerprint != committee.fingerprint
    np.testing.assert_allclose(lowest.score_all(rows[:1])[0], committee.votes_all(rows[:1])[0].min(0), atol=1e-5)


def test_another_trunk_is_refused(made, tmp_path):
    committee, _ = made
    committee.save(tmp_path)
    document = json.loads((tmp_path / FILE).read_text())
    document["trunks"][0]["fingerprint"] = "0" * 32
    (tmp_path / FILE).write_text(json.dumps(document))
    with pytest.raises(PlauditError, match="another version of tiny"):
        load_committee(tmp_path)
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(PlauditError, match="is no committee"):
        load_committee(tmp_path)


def test_nothing_and_lists_can_be_asked(made):
    committee, _ = made
    assert committee.votes_all([]) == []
    three = group("Why?", ("a", "bb", "ccc"), None)
    assert committee.votes_all([three])[0].shape == (4, 3)


def test_length_is_what_one_sees_from_afar():
    found = length_features([pair("Q", "- one\n- two", "plain")])
    np.testing.assert_allclose(found, [[np.log(12), 0.011, np.log(3)], [np.log(6), 0.005, 0]], atol=1e-6)
    assert length_features([]).shape == (0, 3)


def test_half_precision_only_where_it_holds_the_values():
    assert narrowed(np.ones((1, 2), np.float32), "float16").dtype == np.float16
    assert narrowed(np.full((1, 2), 7e4, np.float32), "float16").dtype == np.float32


def test_members_go_round_unlike_views_first():
    views, members = crew([(24, 21), (5, 4)], ("read", "mean"), count=7, length=True)
    names = [str(views[m.view]) for m in members]
    assert names == [
        "trunk 0, layer 24, read", "trunk 1, layer 5, read", "trunk 0, layer 24, mean", "trunk 1, layer 5, mean",
        "trunk 0, layer 21, read", "trunk 1, layer 4, read", "length"]  # fmt: skip
    assert len({m.seed for m in members}) == 7
    alone, one = crew([(3,)], ("read",), count=1, length=True)
    assert [str(v) for v in alone] == ["trunk 0, layer 3, read"]
    assert len(one) == 1
    assert [m.kind for m in crew([(3,)], ("read",), count=4, heads="mixed")[1]] == [
        "linear", "mlp", "linear", "mlp"]  # fmt: skip
    assert [str(v) for v in crew([], ("read",), count=3)[0]] == ["length"]


def test_layers_are_told_apart_from_nonsense():
    assert layers_of("", 30) == (24, 21, 15)
    assert layers_of("", 1) == (1,)
    with pytest.raises(OptionError, match="31 is not a layer"):
        layers_of("31", 30)
    with pytest.raises(OptionError, match="not a list"):
        layers_of("deep", 30)
