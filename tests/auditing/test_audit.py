"""An audit end to end on the random model: what it writes, that it resumes, and that company changes nothing."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from plaudit.auditing import store
from plaudit.auditing.audit import audit
from plaudit.auditing.cache import prune
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.summary import beside_length
from plaudit.data.worlds import make
from plaudit.data.worlds._files import lines, row
from plaudit.data.write import write
from plaudit.errors import OptionError, PlauditError
from plaudit.models import features as feature_room
from plaudit.records import group
from plaudit.rewards.load import load

ROWS = 90


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A text world with every fifth label turned round, a tie, a list of three, a repeat and a broken line."""
    world = make("text-v1", n=ROWS, seed=7)
    records = [row(p) for p in world.preferences]
    for r in records[::5]:
        r["chosen"], r["rejected"] = r["rejected"], r["chosen"]
    path = tmp_path_factory.mktemp("data") / "world.jsonl"
    path.write_bytes(lines([*records, records[3]]) + b"{broken\n")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def done(file, cache, tmp_path_factory):
    target = tmp_path_factory.mktemp("out") / "audit"
    return audit([file], output_dir=target, model="tiny", members=4, cache=cache), target


def test_the_longer_answer_stands_beside_the_committee(done):
    found, target = done
    length = json.loads((target / "audit.json").read_text())["length"]
    signals, _ = store.load(target)
    longer = signals["chosen_is_longer"]  # of the tie too, which the summary leaves out
    share = float(((longer > 0) + 0.5 * (longer == 0)).mean())
    assert length["score"] == pytest.approx(max(share, 1 - share), abs=0.03)
    assert length["low"] <= length["ahead"] <= length["high"]
    assert 0 <= length["sides"] <= 1


def test_votes_are_mere_length_only_where_they_follow_it():
    draw = np.random.Generator(np.random.PCG64(0))
    longer, group = np.where(np.arange(400) % 20 < 11, 1, -1), np.arange(400)  # 55 % of the better ones are longer
    assert beside_length(longer * 1.0, longer, group)["mere"]  # length itself
    unlike = np.where(draw.random(400) < 0.57, 1.0, -1.0)  # no better, and knows nothing of length
    assert beside_length(unlike, longer, group)["low"] <= 0
    assert not beside_length(unlike, longer, group)["mere"]
    better = np.where(draw.random(400) < 0.9, 1.0, longer)  # follows length where it errs, and is surely ahead
    assert not beside_length(better, longer, group)["mere"]


def test_groups_that_cannot_be_made_even_are_refused_before_the_pass(file, monkeypatch):
    monkeypatch.setattr("plaudit.auditing.audit.poll", None)  # would be called after the pass
    for by, why in (("nosuch", "unknown groups"), ("annotator", "does not tell")):
        with pytest.raises(OptionError, match=why):
            audit([file], model="tiny", fair_by=by)


def test_what_lies_in_the_folder(done):
    found, target = done
    assert sorted(p.name for p in target.iterdir()) == [
        "audit.json", "committee", "report.html", "seal.json", "signals.parquet"]  # fmt: skip
    summary = json.loads((target / "audit.json").read_text())
    for key in ("rows", "members", "folds", "verdicts", "deciles", "data_checks", "noise"):
        assert key in summary, key
    assert summary["rows"]["read"] == ROWS + 2
    assert summary["rows"]["rejected"] == 1
    assert summary["rows"]["comparisons"] == ROWS + 1
    assert sum(summary["verdicts"].values()) == ROWS + 1
    assert sum(d["n"] for d in summary["deciles"]) == ROWS + 1
    assert len(summary["members"]) == 4
    assert summary["folds"] == 5
    assert summary["left_out"][0]["where"].endswith(f":{ROWS + 2}")
    table = pq.read_table(target / "signals.parquet")
    names = (
        "id better worse source group annotator margins n_members mean std vote_share decile verdict p_disagree "
        "p_wrong duplicate_of contradicts chosen_is_longer annotator_reliability content"
    )
    assert set(names.split()) <= set(table.column_names)
    assert table.num_rows == found.signals.rows == ROWS + 1
    assert summary["noise"]["model"] == "uniform"
    assert not summary["noise"]["identified"]  # a random model cannot tell
    assert table["p_wrong"].null_count == ROWS + 1


def test_repeats_are_named(done):
    found, _ = done
    where = np.flatnonzero(found.signals["duplicate_of"] != "")
    assert len(where) == 1
    assert found.signals["duplicate_of"][where[0]] == found.signals["id"][3]


def test_the_mean_is_the_mean_of_the_members(done):
    found, _ = done
    np.testing.assert_allclose(found.signals["margins"].mean(1), found.signals["mean"])
    np.testing.assert_allclose(found.signals["margins"].std(1), found.signals["std"])


def test_stored_signals_come_back(done):
    found, target = done
    again, summary = store.load(target)
    assert summary["rows"]["comparisons"] == ROWS + 1
    for name, column in found.signals.columns.items():
        if column.dtype.kind in "OU":
            assert again[name].tolist() == column.tolist()
        else:
            np.testing.assert_allclose(again[name].astype(float), column.astype(float), atol=1e-6)


def test_a_damaged_audit_is_refused(done, tmp_path):
    import shutil

    _, target = done
    copy = tmp_path / "audit"
    shutil.copytree(target, copy)
    (copy / "audit.json").write_text("{}")
    with pytest.raises(PlauditError, match="damaged"):
        store.load(copy)
    with pytest.raises(PlauditError, match="holds no audit"):
        store.load(tmp_path)


def bytes_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_again_from_the_cache_and_anew_the_bytes_are_the_same(done, file, cache, tmp_path, monkeypatch):
    _, target = done
    anew = tmp_path / "anew"
    audit([file], output_dir=anew, model="tiny", members=4, cache=tmp_path / "other")
    assert bytes_of(anew) == bytes_of(target)
    monkeypatch.setattr(feature_room, "compute", lambda *a: pytest.fail("read again"))
    again = tmp_path / "again"
    audit([file], output_dir=again, model="tiny", members=4, cache=cache)
    assert bytes_of(again) == bytes_of(target)


def test_a_killed_audit_goes_on(done, file, tmp_path, monkeypatch):
    _, target = done
    monkeypatch.setattr(feature_room, "PART", 16)
    real, calls = feature_room.compute, []

    def stop(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(feature_room, "compute", stop)
    with pytest.raises(KeyboardInterrupt):
        audit([file], output_dir=tmp_path / "audit", model="tiny", members=4, cache=tmp_path / "cache")
    assert not (tmp_path / "audit").exists()
    monkeypatch.setattr(feature_room, "compute", lambda *args: calls.append(1) or real(*args))
    audit([file], output_dir=tmp_path / "audit", model="tiny", members=4, cache=tmp_path / "cache")
    assert len(calls) == 4 + 3  # of six parts three were there
    assert bytes_of(tmp_path / "audit") == bytes_of(target)


def test_other_thresholds_need_no_new_votes(file, cache, done, monkeypatch):
    monkeypatch.setattr(feature_room, "compute", lambda *a: pytest.fail("read again"))
    found = audit([file], model="tiny", members=4, cache=cache, wrong=0.99, ambiguous=0.98, strong=0.97)
    assert found.summary["verdicts"]["strong"] > 80
    assert found.summary["thresholds"]["wrong"] == 0.99


def test_the_order_of_rows_does_not_move_a_vote(done, file, tmp_path):
    found, _ = done
    raw = file.read_bytes().splitlines(keepends=True)
    (tmp_path / "turned.jsonl").write_bytes(b"".join(raw[:ROWS][::-1]))
    other = audit([tmp_path / "turned.jsonl"], model="tiny", members=4, cache=tmp_path / "cache")
    mine = dict(zip(other.signals["content"], other.signals["fold"], strict=True))
    for content, fold in zip(found.signals["content"], found.signals["fold"], strict=True):
        assert mine[content] == fold  # folds belong to prompts, whatever the order


def test_in_sample_votes_know_their_labels_better(done, file, cache, tmp_path):
    found, _ = done
    inside = audit([file], model="tiny", members=4, cache=cache, in_sample=True)
    assert inside.summary["folds"] == 0
    assert inside.summary["accuracy"]["score"] > found.summary["accuracy"]["score"]


def test_scorers_can_vote(file, tmp_path, capsys):
    found = audit([file], output_dir=tmp_path / "audit", scorer="length,random")
    assert "in-sample" in capsys.readouterr().err
    assert [m["name"] for m in found.summary["members"]] == ["length", "random"]
    longer = found.signals["chosen_is_longer"]
    assert (np.sign(found.signals["margins"][:, 0]) == longer).all()
    panel = load(tmp_path / "audit/committee")
    assert panel.votes_all(list(make("text-v1", n=2, seed=1).preferences))[0].shape == (2, 2)


def test_without_a_noise_model_p_wrong_is_empty(file, cache):
    found = audit([file], model="tiny", members=4, cache=cache, noise="none")
    assert np.isnan(found.signals["p_wrong"]).all()
    assert found.summary["noise"]["model"] is None


@pytest.mark.parametrize("model", ["uniform", "group", "annotator"])
def test_a_named_noise_model_shows_its_rates(file, cache, model):
    found = audit([file], model="tiny", members=4, cache=cache, noise=model)
    assert found.summary["noise"]["model"] == model
    for rate in found.summary["noise"]["rates"].values():
        assert rate["low"] <= rate["rate"] <= rate["high"]


def test_lists_and_ties(tmp_path, cache):
    answers = ("a", "bb", "ccc")
    ranked = [group(f"Why {i}?", answers[: len(r)], r) for i, r in enumerate([(0, 1, 2), (0, 0, 1), (0, 0), (1, 0)])]
    write(ranked, "canonical", tmp_path / "lists.jsonl")
    found = audit([tmp_path / "lists.jsonl"], model="tiny", members=2, cache=cache)
    assert found.signals.rows == 3 + 2 + 1 + 1
    assert found.summary["rows"]["ties"] == 1
    key = list(zip(found.signals["better"], found.signals["worse"], strict=True))
    assert key == [(0, 1), (0, 2), (1, 2), (0, 2), (1, 2), (0, 1), (1, 0)]


def test_mistakes_are_told_before_the_long_pass(file, tmp_path):
    with pytest.raises(OptionError, match="name what votes"):
        audit([file])
    with pytest.raises(OptionError) as caught:
        audit([file], model="tiny", scorer="length", wrong=0.2)
    assert len(caught.value.mistakes) == 2
    (tmp_path / "there").mkdir()
    with pytest.raises(PlauditError, match="exists already"):
        audit([file], model="tiny", output_dir=tmp_path / "there")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(PlauditError):
        audit([empty], model="tiny")


def test_the_cache_is_bounded(file, tmp_path):
    audit([file], model="tiny", members=2, cache=tmp_path)
    before = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert prune(tmp_path, before) == 0
    gone = prune(tmp_path, before / 2)
    left = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert gone > 0
    assert left <= before / 2
    assert AuditOptions(model="tiny").cache_gb == 20


def test_influence_and_fair_weights_become_columns(file, cache, tmp_path):
    many = tmp_path / "many.jsonl"
    many.write_bytes(lines([row(p) for p in make("text-v1", n=300, seed=8).preferences]))
    found = audit([many], output_dir=tmp_path / "a", model="tiny", members=4, cache=cache, fair_by="longer")
    for name in ("influence", "self_influence", "fair_weight"):
        assert np.isfinite(found.signals[name]).all(), name
        assert name in pq.read_table(tmp_path / "a/signals.parquet").column_names
    assert (found.signals["fair_weight"] >= 0).all()
    with pytest.raises(OptionError, match="out of fold"):
        audit([file], model="tiny", in_sample=True, influence=True)
