"""Committees of trained models: votes by those who never saw the row, members that differ, nothing trained twice."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from plaudit.auditing import trained
from plaudit.auditing.audit import audit
from plaudit.auditing.material import docket, gather
from plaudit.data.read import read
from plaudit.data.split import folds
from plaudit.data.worlds import make
from plaudit.data.write import write
from plaudit.errors import OptionError, PlauditError
from plaudit.folders import is_sealed
from plaudit.rewards.load import load
from small_runs import dropping, go

ROWS = 40
WORLD = make("text-v1", n=ROWS, seed=5).preferences
HOW = {"model": "tiny", "members": 2, "folds": 2, "learning_rate": 3e-3}


def stored(folder, preferences):
    path = folder / "world.jsonl"
    path.unlink(missing_ok=True)
    write(preferences, "canonical", path)
    return path


def turned(preference):
    """The other response is the better one; file order and with it what is scored stay."""
    return replace(preference, ranks=tuple(1 - r for r in preference.ranks))


class Trainings:
    """The trainings that an audit asks for: the ids in each lesson. `stop`: Ctrl-C instead of that training."""

    def __init__(self, patch, stop=0):
        self.lessons, self.stop, self.real = [], stop, trained.train
        patch.setattr(trained, "train", self)

    def __call__(self, files, **how):
        if len(self.lessons) + 1 == self.stop:
            raise KeyboardInterrupt
        self.lessons.append({p.id for row in read(files) for p in row.records})
        return self.real(files, **how)


# What a member learns from


@pytest.fixture
def case(tmp_path):
    ties = [replace(p, ranks=(0, 0)) if i % 9 == 0 else p for i, p in enumerate(WORLD)]
    weighed = [replace(p, weight=7.0, target=0.1, margin=2.0) if i % 5 == 0 else p for i, p in enumerate(ties)]
    return docket(gather([stored(tmp_path, weighed)]), {})


def test_a_lesson_is_the_other_folds_each_group_as_often_as_it_was_drawn(case):
    fold = folds(case.group, 2, 0)
    place = {p.id: i for i, p in enumerate(case.preferences)}
    for f in (0, 1):
        found = trained._lesson(case, fold, f, 3)
        assert found
        assert all(fold[place[p.id]] != f for p in found)
        drawn = {}
        for p in found:
            assert p.weight >= 1
            assert p.weight == int(p.weight)
            assert drawn.setdefault(case.group[place[p.id]], p.weight) == p.weight  # a prompt group is drawn whole
            assert (p.target, p.margin) == (None, 0.0)  # remedies of the file play no part in what prices it
            assert p.ranks == case.preferences[place[p.id]].ranks
        assert len(found) < (fold != f).sum()  # some are out of the bag


def test_members_have_bags_of_their_own(case):
    fold = folds(case.group, 2, 0)
    one, other = ({p.id: p.weight for p in trained._lesson(case, fold, 0, seed)} for seed in (3, 4))
    assert one != other


def test_trained_members_are_never_in_sample(tmp_path):
    for heads in ("lora", "full"):
        with pytest.raises(OptionError, match="in-sample"):
            audit([stored(tmp_path, WORLD[:6])], heads=heads, in_sample=True, cache=tmp_path / "cache", **HOW)


# Whole committees


@pytest.fixture(scope="module", params=["lora", "full"])
def done(request, tmp_path_factory):
    """An audit by two members in two folds: what it found, its folder, its lessons, the file and the cache."""
    folder = tmp_path_factory.mktemp(request.param)
    file = stored(folder, WORLD)
    with pytest.MonkeyPatch.context() as patch:
        asked = Trainings(patch)
        found = audit([file], output_dir=folder / "audit", heads=request.param, cache=folder / "cache", **HOW)
    return found, folder, asked.lessons, request.param


def scores_of(folder, preferences):
    return np.array(load(folder).score_all(preferences))  # [P, 2]


@pytest.mark.slow
def test_every_fold_has_a_model_that_never_saw_it(done):
    """Votes are those of the stored model whose lesson left the row's fold out, on one scale a fold."""
    found, folder, lessons, _ = done
    fold, ids = found.signals["fold"], found.signals["id"]
    assert len(lessons) == 4
    assert found.summary["folds"] == 2
    entries = json.loads((folder / "audit/committee/committee.json").read_text())["members"]
    for number, lesson in enumerate(lessons):
        member, f = divmod(number, 2)
        assert not lesson & set(ids[fold == f])
        rows = np.flatnonzero(fold == f)
        scores = scores_of(folder / "audit/committee" / f"member-{member}-fold-{f}", [WORLD[i] for i in rows])
        gap = scores[np.arange(len(rows)), found.signals["better"][rows]]
        gap = gap - scores[np.arange(len(rows)), found.signals["worse"][rows]]
        size = np.sqrt((gap**2).mean())
        assert entries[number]["scale"] == pytest.approx(size, rel=1e-3)  # so the saved member votes as it did
        gap /= size
        np.testing.assert_allclose(found.signals["margins"][rows, member], gap, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_members_differ(done):
    found, folder, lessons, heads = done
    one, other = found.signals["margins"].T
    assert np.corrcoef(one, other)[0, 1] < 0.99
    assert [m["name"].split(",")[0] for m in found.summary["members"]] == [f"tiny {heads}"] * 2
    assert len({m["name"] for m in found.summary["members"]}) == 2
    assert lessons[0] != lessons[2]
    prints = {load(p).fingerprint for p in (folder / "audit/committee").glob("member-*")}
    assert len(prints) == 4


@pytest.mark.slow
def test_the_labels_of_a_fold_never_reach_its_own_votes(done, tmp_path, monkeypatch):
    """Turn every label of fold 0 round: its votes turn with them, to the bit; the models that gave them stay."""
    found, folder, _, heads = done
    fold = found.signals["fold"]
    other = [turned(p) if f == 0 else p for p, f in zip(WORLD, fold, strict=True)]
    asked = Trainings(monkeypatch)
    after = audit([stored(tmp_path, other)], heads=heads, cache=folder / "cache", **HOW).signals["margins"]
    before = found.signals["margins"]
    np.testing.assert_array_equal(after[fold == 0], -before[fold == 0])
    assert np.abs(after[fold == 1] - before[fold == 1]).max() > 1e-3
    assert len(asked.lessons) == 2  # the models of fold 1, one a member


@pytest.mark.slow
def test_the_committee_is_a_scorer(done):
    _, folder, _, _ = done
    target = folder / "audit/committee"
    panel = load(target)
    some = list(make("text-v1", n=3, seed=6).preferences)
    votes = panel.votes_all(some)
    assert [v.shape for v in votes] == [(2, 2)] * 3  # the folds of a member have one vote, their mean
    for mean, vote in zip(panel.score_all(some), votes, strict=True):
        np.testing.assert_allclose(mean, vote.mean(0))
    scale, center = zip(
        *((e["scale"], e["center"]) for e in json.loads((target / "committee.json").read_text())["members"])
    )
    own = [(scores_of(target / f"member-1-fold-{f}", some) - center[2 + f]) / scale[2 + f] for f in (0, 1)]
    np.testing.assert_allclose(np.array(votes)[:, 1], np.mean(own, 0), rtol=1e-4)
    assert load(target).fingerprint == panel.fingerprint != ""
    assert is_sealed(folder / "audit", deep=True)


@pytest.mark.slow
def test_lora_members_are_adapters_on_one_trunk(tmp_path):
    model = dropping(tmp_path / "model")
    how = HOW | {"model": str(model), "heads": "lora", "cache": tmp_path / "cache", "max_length": 400}
    found = audit([stored(tmp_path, WORLD)], output_dir=tmp_path / "audit", **how)
    committee = tmp_path / "audit/committee"
    members = sorted(committee.glob("member-*"))
    assert len(members) == 4
    for folder in [*members, *tmp_path.glob("cache/audits/members/*/model")]:
        names = {p.name for p in folder.iterdir()}
        assert {"adapter_config.json", "adapter_model.safetensors", "plaudit.json"} <= names
        assert "model.safetensors" not in names
    panel = load(committee)
    assert len({id(m.loaded.model) for m in panel.scorer.members}) == 1
    assert {m.loaded.policy.max_length for m in panel.scorer.members} == {400}
    again = np.array(panel.votes_all(WORLD))  # [P, K, 2]
    alone = [scores_of(folder, WORLD) for folder in members]
    for member, scores in zip(panel.scorer.members, alone, strict=True):
        np.testing.assert_allclose(np.array(member.score_all(WORLD)), scores, rtol=1e-4, atol=1e-5)
    assert again.shape == (ROWS, 2, 2)
    assert found.summary["members"][0]["name"].startswith("model lora")
    weights = load_file(model / "model.safetensors")
    save_file({k: v * 1.1 for k, v in weights.items()}, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PlauditError, match="its adapters were trained on another version of"):
        load(committee)


@pytest.mark.slow
def test_adapters_name_the_base_that_this_audit_names(tmp_path, monkeypatch):
    """Members come from the cache of an audit that called the same model otherwise."""
    dropping(tmp_path / "base")
    file, how = stored(tmp_path, WORLD), HOW | {"heads": "lora", "members": 1, "cache": tmp_path / "cache"}
    monkeypatch.chdir(tmp_path)
    audit([file], **(how | {"model": "./base"}))
    asked = Trainings(monkeypatch)
    whole = str(tmp_path / "base")
    audit([file], output_dir=tmp_path / "audit", **(how | {"model": whole}))
    assert not asked.lessons
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for config in tmp_path.glob("audit/committee/member-*/adapter_config.json"):
        assert json.loads(config.read_text())["base_model_name_or_path"] == whole
    assert load(tmp_path / "audit/committee").score_all([WORLD[0]])[0].shape == (2,)
    weights = next(tmp_path.glob("audit/committee/member-0-fold-1/adapter_model.safetensors"))
    shutil.copytree(tmp_path / "audit/committee", tmp_path / "copy")
    (tmp_path / "copy" / weights.parent.name / weights.name).unlink()
    with pytest.raises(PlauditError, match="is missing"):
        load(tmp_path / "copy")


@pytest.mark.slow
def test_a_base_that_is_adapters_itself_gives_whole_members(tmp_path):
    go(str(stored(tmp_path, WORLD)), tmp_path / "run", tuning="lora")
    model = str(tmp_path / "run/final/adapter")
    how = HOW | {"heads": "lora", "members": 1, "cache": tmp_path / "cache", "model": model}
    audit([tmp_path / "world.jsonl"], output_dir=tmp_path / "audit", **how)
    assert load(tmp_path / "audit/committee").score_all([WORLD[0]])[0].shape == (2,)


@pytest.mark.slow
def test_again_nothing_is_trained_and_more_members_train_only_themselves(done, monkeypatch):
    found, folder, _, heads = done
    asked = Trainings(monkeypatch)
    how = {"heads": heads, "cache": folder / "cache"}
    again = audit([folder / "world.jsonl"], wrong=0.9, **how, **HOW)  # other thresholds: the same votes
    assert not asked.lessons
    np.testing.assert_array_equal(again.signals["margins"], found.signals["margins"])
    more = audit([folder / "world.jsonl"], **how, **(HOW | {"members": 3}))
    assert len(asked.lessons) == 2
    np.testing.assert_array_equal(more.signals["margins"][:, :2], found.signals["margins"])


@pytest.mark.slow
def test_a_killed_audit_goes_on_with_the_members_it_has(done, tmp_path):
    found, folder, _, heads = done
    how = {"heads": heads, "cache": tmp_path / "cache", **HOW}
    with pytest.MonkeyPatch.context() as patch:
        Trainings(patch, stop=3)
        with pytest.raises(KeyboardInterrupt):
            audit([folder / "world.jsonl"], output_dir=tmp_path / "audit", **how)
    assert not (tmp_path / "audit").exists()
    with pytest.MonkeyPatch.context() as patch:
        asked = Trainings(patch)
        again = audit([folder / "world.jsonl"], output_dir=tmp_path / "audit", **how)
    assert len(asked.lessons) == 2
    np.testing.assert_array_equal(again.signals["margins"], found.signals["margins"])
    assert (tmp_path / "audit/signals.parquet").read_bytes() == (folder / "audit/signals.parquet").read_bytes()


@pytest.mark.slow
def test_a_model_that_changed_under_its_name_is_trained_anew(tmp_path, monkeypatch):
    model = dropping(tmp_path / "model")
    how = HOW | {"model": str(model), "members": 1, "heads": "full", "cache": tmp_path / "cache"}
    file = stored(tmp_path, WORLD)
    asked = Trainings(monkeypatch)
    before = audit([file], **how).signals["margins"]
    weights = load_file(model / "model.safetensors")
    save_file({k: v * 1.1 for k, v in weights.items()}, model / "model.safetensors", metadata={"format": "pt"})
    after = audit([file], **how).signals["margins"]
    assert len(asked.lessons) == 4
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.slow
def test_the_cache_is_bounded_and_keeps_what_is_written_from_it(done, tmp_path):
    _, folder, _, heads = done
    cache = tmp_path / "cache"
    audit([stored(tmp_path, WORLD)], heads=heads, cache=cache, **HOW)
    some = stored(tmp_path, WORLD[:30])
    audit([some], output_dir=tmp_path / "audit", heads=heads, cache=cache, cache_gb=1e-9, **HOW)
    assert not list(cache.glob("audits/members/*/*"))
    assert load(tmp_path / "audit/committee").score_all([WORLD[0]])[0].shape == (2,)


@pytest.mark.slow
def test_other_ways_of_training_give_other_members(done, monkeypatch):
    found, folder, _, heads = done
    for other in ({"seed": 1}, {"learning_rate": 1e-3}):
        asked = Trainings(monkeypatch)
        after = audit([folder / "world.jsonl"], heads=heads, cache=folder / "cache", **(HOW | {"members": 1} | other))
        assert len(asked.lessons) == 2, other
        assert np.abs(after.signals["margins"][:, 0] - found.signals["margins"][:, 0]).max() > 1e-3
