"""An audit end to end on the random model: what it writes, that it resumes, and that company changes nothing."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from plaudit.auditing import store
from plaudit.auditing.audit import audit
from plaudit.auditing.cache import prune
from plaudit.auditing.material import docket, gather
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.rehearse import rehearse
from plaudit.auditing.show import _rates as show_rates
from plaudit.auditing.show import show
from plaudit.auditing.summary import accuracy, beside_length, noise_document, suspicious
from plaudit.auditing.vote import fold_of
from plaudit.data.read import read
from plaudit.data.worlds import make
from plaudit.data.worlds._files import lines, row
from plaudit.data.write import write
from plaudit.errors import OptionError, PlauditError
from plaudit.evaluation.evaluate import evaluate
from plaudit.models import features as feature_room
from plaudit.records import group, pair
from plaudit.rewards.load import load
from plaudit.signals.noise import estimate
from plaudit.signals.price import verdict
from plaudit.signals.votes import Signals

ROWS = 90


def read_all(file):
    """The preferences of a file, in its order."""
    return (record for row in read([str(file)]) for record in row.records)


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


@pytest.mark.slow
def test_the_longer_answer_stands_beside_the_committee(done):
    found, target = done
    length = json.loads((target / "audit.json").read_text())["length"]
    signals, _ = store.load(target)
    longer = signals["chosen_is_longer"]  # of the tie too, which the summary leaves out
    share = float(((longer > 0) + 0.5 * (longer == 0)).mean())
    assert length["score"] == pytest.approx(max(share, 1 - share), abs=0.03)
    assert length["low"] <= length["ahead"] <= length["high"]
    assert 0 <= length["sides"] <= 1


@pytest.mark.slow
def test_the_committee_says_what_it_was_trained_on_and_its_members_share_a_center(done, file):
    _, target = done
    found = evaluate(str(target / "committee"), [file])
    assert found.seen["rows"] == ROWS + 1  # every row that was audited, the repeat too
    rows = [p for row in read([str(file)]) for p in row.records]
    votes = np.concatenate(load(target / "committee").votes_all(rows), 1)
    assert np.abs(votes.mean(1)).max() < 0.2  # about 0 over what was audited, so their spread is about the responses


def test_length_may_choose_its_direction_in_every_file():
    """Pooled, two files that pull in opposite directions hide how far length alone gets (HH's helpful and harmless)."""
    longer = np.repeat([1, -1, -1, 1], [180, 120, 180, 120]).astype(float)
    file = np.repeat(["a.jsonl", "b.jsonl"], 300).astype(object)
    votes = np.where(file == "a.jsonl", longer, -longer)  # nothing but length, told by file
    pooled, told = (beside_length(votes, longer, np.arange(600), f) for f in (None, file))
    assert pooled["score"] == 0.5
    assert not pooled["mere"]
    assert (told["prefers"], told["otherwise"], told["score"], told["sides"]) == ("longer", ["b.jsonl"], 0.6, 1.0)
    assert (told["ahead"], told["mere"]) == (0.0, True)
    unsure = np.repeat(["a.jsonl", "b.jsonl"], [590, 10]).astype(object)  # ten rows say no direction
    assert beside_length(votes, longer, np.arange(600), unsure)["otherwise"] == []


def test_votes_are_mere_length_only_where_they_follow_it():
    draw = np.random.Generator(np.random.PCG64(0))
    longer, group = np.where(np.arange(400) % 20 < 11, 1, -1), np.arange(400)  # 55 % of the better ones are longer
    assert beside_length(longer * 1.0, longer, group)["mere"]  # length itself
    unlike = np.where(draw.random(400) < 0.57, 1.0, -1.0)  # no better, and knows nothing of length
    assert beside_length(unlike, longer, group)["low"] <= 0
    assert not beside_length(unlike, longer, group)["mere"]
    better = np.where(draw.random(400) < 0.9, 1.0, longer)  # follows length where it errs, and is surely ahead
    assert not beside_length(better, longer, group)["mere"]


def test_the_interval_of_the_accuracy_draws_whole_prompts():
    right, prompts = np.repeat([-1.0, 1.0] * 20, 10), np.repeat(np.arange(40), 10)
    whole, rows = accuracy(right, prompts), accuracy(right, np.arange(400))
    assert whole["high"] - whole["low"] > 2.5 * (rows["high"] - rows["low"])


def test_the_seed_draws_the_folds_and_prompts_stay_whole(file):
    case = docket(gather(file), {})
    folds = [fold_of(case, AuditOptions(model="tiny", seed=seed)) for seed in (0, 1)]
    assert (folds[0] != folds[1]).any()
    assert len(np.unique(case.group)) < len(case.group)  # one prompt has two rows
    for fold in folds:
        assert len(set(zip(case.group, fold))) == len(np.unique(case.group))
        assert len(np.unique(fold)) == 5


def test_pairs_to_look_at_come_by_doubt_each_once_and_without_ties(tmp_path):
    rows = [pair(f"Why {i}?", f"because {i}", "no", id=f"r{i}") for i in range(6)]
    rows = [*rows, replace(rows[1], id="again"), group("Which?", ("a", "b"), (0, 0), id="tie")]
    write(rows, "canonical", tmp_path / "rows.jsonl")
    case = docket(gather(tmp_path / "rows.jsonl"), {})
    p = np.array([0.3, 0.8, 0.1, 0.6, 0.9, 0.2, 0.8, 0.95])
    some = dict.fromkeys(("mean", "std", "vote_share"), p)
    source = np.array([r.source for r in case.preferences], object)
    signals = Signals({"p_disagree": p, "verdict": verdict(p), "source": source, **some}, {})
    shown = suspicious(case, signals, 4)
    assert [s.id for s in shown] == ["r4", "r1", "r3", "r0"]
    assert [s.p_disagree for s in shown] == [0.9, 0.8, 0.6, 0.3]
    assert (shown[0].source, shown[0].verdict, shown[0].chosen) == ("rows.jsonl:5", "wrong", "because 4")


UNREADY = [
    ({"model": "minilm"}, r"unknown model 'minilm' \(did you mean 'minilm-l6'\?\)"),
    ({"model": "tiny,./nosuch"}, "nosuch: no such folder"),
    ({"model": "EMPTY"}, "no model here: config.json is missing"),
    ({"model": "ADAPTERS"}, "gone: no such folder"),
    ({"model": "tiny", "layers": "1,two"}, "is not a list of numbers"),
    ({"model": "tiny", "device": "toaster"}, "device 'toaster' cannot be used"),
    ({"scorer": "length,lenght"}, r"unknown scorer 'lenght' \(did you mean 'length'\?\)"),
    ({"scorer": "EMPTY"}, "no checkpoint here: config.json is missing"),
    ({"model": "tiny", "heads": "full", "in_sample": True}, "--in-sample is about heads; train models with"),
    ({"model": "tiny", "heads": "lora", "in_sample": True, "folds": 3}, "--in-sample is about heads; train models"),
]


@pytest.mark.parametrize(("options", "why"), UNREADY, ids=[str(options) for options, _ in UNREADY])
def test_names_and_options_that_cannot_work_are_refused_before_the_file_is_read(options, why, tmp_path, monkeypatch):
    monkeypatch.setattr("plaudit.models.embedded.path", None)  # would build or fetch
    empty, adapters = tmp_path / "empty", tmp_path / "adapters"
    for folder in (empty, adapters):
        folder.mkdir()
    (adapters / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "gone")}))
    places = {"EMPTY": str(empty), "ADAPTERS": str(adapters)}
    options = {name: places.get(str(value), value) for name, value in options.items()}
    with pytest.raises(PlauditError, match=why):
        audit([tmp_path / "no file is looked for.jsonl"], **options)
    with pytest.raises(PlauditError, match=why):
        rehearse([str(tmp_path / "nor here.jsonl")], AuditOptions(**options))


def test_groups_that_cannot_be_made_even_are_refused_before_the_pass(file, monkeypatch):
    monkeypatch.setattr("plaudit.auditing.audit.poll", None)  # would be called after the pass
    refused = [("nosuch", "unknown groups"), ("annotator", "does not tell"), ("longer", r"in fold \d of 5 (no|only)")]
    for by, why in refused:
        with pytest.raises(OptionError, match=why):
            audit([file], model="tiny", fair_by=by)


def test_checks_are_told_before_a_model_is_loaded_and_a_benchmark_is_read_before_that(file, monkeypatch, tmp_path):
    told = []

    def load_models(options):
        raise PlauditError(f"{len(told)} checks were told")

    monkeypatch.setattr("plaudit.auditing.audit.trunks_of", load_models)
    with pytest.raises(PlauditError, match=r"1\d checks were told"):
        audit([file], model="tiny", on_checks=told.extend)
    assert "equal_pairs" not in [f.name for f in told]
    assert {f.status for f in told if f.name == "benchmark_overlap"} == {"skip"}
    monkeypatch.setattr("plaudit.auditing.audit.gather", None)
    with pytest.raises(PlauditError, match="no such file"):
        audit([file], model="tiny", against=str(tmp_path / "typo.jsonl"))
    (tmp_path / "odd.jsonl").write_text('{"some": "thing"}\n')
    with pytest.raises(PlauditError, match="holds no prompt.*no prompt in this row"):
        audit([file], model="tiny", against=str(tmp_path / "odd.jsonl"))


def test_bare_prompts_are_a_benchmark_and_rows_without_one_are_counted(file, cache, tmp_path, capsys):
    first = json.loads(file.read_bytes().splitlines()[0])["prompt"]
    bare = tmp_path / "bench.jsonl"
    bare.write_text(json.dumps({"prompt": first}) + '\n{"answer": 4}\n')
    found = audit([file], model="tiny", members=4, cache=cache, against=str(bare)).summary["data_checks"]
    overlap = found["benchmark_overlap"]
    assert overlap["status"] == "warn"
    assert overlap["value"]["benchmark_rows_unread"] == 1
    assert "1 rows of the benchmark could not be read" in overlap["text"]
    assert "1 of 2 rows hold no prompt" in capsys.readouterr().err


def test_the_lower_bound_of_the_reachable_is_the_committee_s(done):
    found, _ = done
    held = found.summary["accuracy"]
    lower = found.summary["data_checks"]["reachable"]["value"]["lower"]
    assert lower == {"score": held["score"], "low": held["low"], "high": held["high"]}


def test_no_folder_of_this_machine_is_in_the_signals(done, file):
    found, target = done
    assert found.signals["source"][0] == f"{file.name}:1"
    assert str(file.parent).encode() not in b"".join(bytes_of(target).values())


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    checks = found.summary["data_checks"]
    assert checks["equal_pairs"]["status"] == "skip"
    assert "--scorer" in checks["equal_pairs"]["text"]
    assert checks["reachable"]["value"]["lower"] is None  # they vote in-sample
    panel = load(tmp_path / "audit/committee")
    assert panel.votes_all(list(make("text-v1", n=2, seed=1).preferences))[0].shape == (2, 2)


@pytest.mark.slow
def test_a_given_committee_votes_by_its_members(done, file, tmp_path, capsys, monkeypatch):
    made, target = done
    monkeypatch.chdir(target.parent)
    found = audit([file], output_dir=tmp_path / "again", scorer=f"./{target.name}/committee")
    panel, signals = load(target / "committee"), found.signals
    assert [m["name"] for m in found.summary["members"]] == list(panel.names)
    assert list(panel.names) == [m["name"] for m in made.summary["members"]]
    assert (signals["n_members"] == 4).all()
    assert (signals["std"] > 0).all()
    judged = {p.id: votes for p in read_all(file) for votes in panel.votes_all([p]) if p.comparisons()}
    of = list(zip(signals["id"], signals["better"], signals["worse"], strict=True))
    gaps = np.array([judged[key][:, i] - judged[key][:, j] for key, i, j in of])
    margins = gaps / np.sqrt((gaps**2).mean(0))
    np.testing.assert_allclose(signals["margins"], margins, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(signals["mean"], margins.mean(1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(signals["std"], margins.std(1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(signals["vote_share"], (gaps > 0).mean(1))
    show(found.summary, [str(file)], "again")
    assert "4 members of 1 given scorer" in capsys.readouterr().out
    saved = load(tmp_path / "again/committee")  # is a committee of the same members
    (mine,), (theirs,) = (p.votes_all([next(read_all(file))]) for p in (saved, panel))
    assert list(saved.names) == list(panel.names)
    scale = np.sqrt((gaps**2).mean(0))[:, None]
    np.testing.assert_allclose(np.diff(mine * scale), np.diff(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_committees_that_are_asked_together_are_told_apart(done, file):
    name = str(done[1] / "committee")
    found = audit([file], scorer=f"{name},length,{name}")
    names = [m["name"] for m in found.summary["members"]]
    assert len(names) == len(set(names)) == 9
    assert names[4] == "length"
    margins = found.signals["margins"]
    np.testing.assert_allclose(margins[:, :4], margins[:, 5:])


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


def tagged(tmp_path, n=300):
    """Pairs with a topic (some rows do not say), an id a row, and one value for all; `noise` flips every third cat."""
    records = [row(p) for p in make("text-v1", n=n, seed=8).preferences]
    for i, r in enumerate(records):
        r["tags"] = {"serial": str(i), "kind": "all"} | ({} if i % 10 == 0 else {"topic": ("cats", "dogs")[i % 2]})
    path = tmp_path / "tagged.jsonl"
    path.write_bytes(lines(records))
    return path


@pytest.mark.slow
def test_noise_by_a_tag_or_a_file(tmp_path, cache):
    path = tagged(tmp_path)
    found = audit([path], model="tiny", members=4, cache=cache, noise="tag:topic").summary["noise"]
    assert (found["model"], found["by"]) == ("group", "tag:topic")
    assert set(found["rates"]) == {"cats", "dogs", "(not said)"}
    by_file = audit([path], model="tiny", members=4, cache=cache, noise="group").summary["noise"]
    assert set(by_file["rates"]) == {"tagged.jsonl"}
    with pytest.raises(OptionError, match=r"no row has the tag 'mood'\n  tags of these rows: kind, serial, topic"):
        audit([path], model="tiny", noise="tag:mood")
    with pytest.raises(OptionError, match=r"unknown model 'grup'; known: none, uniform, group, annotator, tag:NAME"):
        audit([path], model="tiny", noise="grup")


def test_whose_rate_is_told_is_told_by_name(capsys):
    draw = np.random.default_rng(0)
    gold = draw.normal(0, 3, 4040)
    flipped = draw.random(4040) < 0.2
    clean = np.where(draw.random(4040) < 1 / (1 + np.exp(-np.abs(gold))), 1, -1)
    mean = np.abs(gold) * clean * np.where(flipped, -1, 1)
    who = np.where(np.arange(4040) < 4000, "many", "few").astype(object)
    found = estimate(mean, np.ones(4040), who, model="annotator")
    rates = noise_document(found, "annotator")["rates"]
    assert (rates["many"]["identified"], rates["few"]["identified"]) == (True, False)
    assert np.isnan(found.p_wrong[4000:]).all()
    assert np.isfinite(found.p_wrong[:4000]).all()
    show_rates(noise_document(found, "annotator"))
    said = capsys.readouterr().err
    assert "by annotator: few: somewhere in" in said
    assert re.search(r"by annotator: many: \d+\.\d% of labels wrong", said)


@pytest.mark.slow
def test_tags_have_rows_of_their_own(tmp_path, cache):
    path = tagged(tmp_path)
    tags = audit([path], model="tiny", members=4, cache=cache).summary["tags"]
    assert set(tags) == {"topic"}  # neither an id nor what is the same everywhere
    assert set(tags["topic"]["values"]) == {"cats", "dogs"}
    assert sum(v["n"] for v in tags["topic"]["values"].values()) == 270
    assert tags["topic"]["more"] == 0


def test_the_next_command_can_be_pasted(done, tmp_path, capsys):
    found, _ = done
    summary = {**found.summary, "options": {"columns": "prompt=my q", "layers": "1"}}
    show(summary, ["my pairs.csv"], "an audit")
    said = capsys.readouterr().err
    first, second = (said.index(word) for word in ("next: plaudit audit", "plaudit repair"))
    assert first < second  # a random model knows nothing: do not act, ask a stronger one
    assert (
        "plaudit audit 'my pairs.csv' --model smollm2-135m --columns 'prompt=my q' --output-dir 'an audit-str" in said
    )
    assert "plaudit repair 'my pairs.csv' --columns 'prompt=my q' --audit 'an audit' --output repaired.csv" in said
    sure = {**summary, "accuracy": {"score": 0.9, "low": 0.8, "high": 0.95, "n": 90}}
    sure["length"] = {**sure["length"], "mere": False, "low": 0.01}
    show(sure, [str(tmp_path)], "out")
    assert "next: plaudit repair FILE --columns" in capsys.readouterr().err
    show(sure, ["a.json", "b.parquet"], "out")
    assert "next: plaudit repair FILE --columns 'prompt=my q' --audit out --output repaired-FILE" in (
        capsys.readouterr().err
    )
    listed = {**sure, "rows": {**sure["rows"], "lists": sure["rows"]["audited"]}}
    show(listed, ["a.json"], "out")
    assert "--audit out --as-pairs --output repaired.json\n" in capsys.readouterr().err
    show(listed, ["my a.csv"], "out")
    assert (
        "next: plaudit convert 'my a.csv' --columns 'prompt=my q' --to canonical --output 'my a.canonical.jsonl' && "
        "plaudit repair 'my a.canonical.jsonl' --audit out --as-pairs --output repaired.jsonl\n"
    ) in capsys.readouterr().err


def test_many_rates_and_reasons_do_not_bury_the_verdict(done, capsys):
    found = {**done[0].summary}
    rates = {f"w{i}": {"rate": i / 100, "low": 0.0, "high": 0.5, "identified": i % 2 == 0} for i in range(41)}
    found["noise"] = {"model": "annotator", "rates": rates}
    found["left_out_reasons"] = {f"reason {i}": 1 for i in range(8)}
    found["left_out"] = [{"where": "a.jsonl:1", "reason": "reason 0"}]
    found["rows"] = {**found["rows"], "left_out": 8}
    show(found, ["a.jsonl"], "out")
    said = capsys.readouterr().err
    shown = re.findall(r"wrong labels, annotator noise: (w\d+)", said)
    assert shown == [f"w{i}" for i in range(40, 20, -2)]
    assert "annotator noise: and 31 more (20 of them cannot be told): see audit.json" in said
    assert "left out: 8 (1: reason 0; 1: reason 1; 1: reason 2; and 5 more), such as a.jsonl:1" in said


@pytest.mark.slow
def test_options_that_matter_for_the_next_command_are_kept(file, cache, tmp_path):
    found = audit([file], model="tiny", members=4, cache=cache, pools="read", seed=3, batch_tokens=512)
    assert found.summary["options"] == {"members": 4, "pools": "read", "seed": 3}


def test_lists_and_ties(tmp_path, cache):
    answers = ("a", "bb", "ccc")
    ranked = [group(f"Why {i}?", answers[: len(r)], r) for i, r in enumerate([(0, 1, 2), (0, 0, 1), (0, 0), (1, 0)])]
    write(ranked, "canonical", tmp_path / "lists.jsonl")
    found = audit([tmp_path / "lists.jsonl"], model="tiny", members=2, cache=cache)
    assert found.signals.rows == 3 + 2 + 1 + 1
    assert found.summary["rows"]["ties"] == 1
    key = list(zip(found.signals["better"], found.signals["worse"], strict=True))
    assert key == [(0, 1), (0, 2), (1, 2), (0, 2), (1, 2), (0, 1), (1, 0)]
    sure = audit([tmp_path / "lists.jsonl"], model="tiny", members=2, cache=cache, wrong=2e-3, ambiguous=1e-3, strong=0)
    assert [sure.signals["verdict"][5], (sure.signals["verdict"] == "wrong").sum()] == ["ambiguous", 6]  # the tie


def test_mistakes_are_told_before_the_long_pass(file, tmp_path):
    for nobody in ({}, {"model": " , "}, {"scorer": ","}):
        with pytest.raises(OptionError, match="name what votes"):
            audit([file], **nobody)
    with pytest.raises(OptionError) as caught:
        audit([file], model="tiny", scorer="length", wrong=0.2)
    assert len(caught.value.mistakes) == 2
    for how in (
        {"scorer": "length", "members": 3, "heads": "mlp"}, {"model": "tiny", "learning_rate": 0.1},
        {"model": "tiny", "heads": "lora", "layers": "1"}, {"model": "tiny", "members": 1, "length_member": True},
        {"model": "tiny", "in_sample": True, "folds": 3},
    ):  # fmt: skip
        with pytest.raises(OptionError, match=f"--{list(how)[-1].replace('_', '-')}"):
            audit([file], **how)
    (tmp_path / "there").mkdir()
    with pytest.raises(PlauditError, match="exists already"):
        audit([file], model="tiny", output_dir=tmp_path / "there")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(PlauditError):
        audit([empty], model="tiny")


def test_a_long_line_is_rejected_where_the_limit_says_so(tmp_path):
    path = tmp_path / "a.jsonl"
    pairs = [{"prompt": f"Q{i}?", "chosen": "yes " * (600 if i == 2 else 1), "rejected": "no"} for i in range(4)]
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    rows = audit(path, scorer="length", line_bytes=1024).summary["rows"]  # one file needs no list
    assert (rows["read"], rows["rejected"], rows["audited"]) == (4, 1, 3)
    assert audit(str(path), scorer="length").summary["rows"]["rejected"] == 0


def test_labelled_ties_are_no_win_of_the_longer_answer(tmp_path):
    rows = [
        {"id": f"t{i}", "prompt": f"Q{i}?", "chosen": "a longer answer", "rejected": "no", "target": None}
        for i in range(10)
    ]
    canonical = [
        {"prompt": [{"role": "user", "content": r["prompt"]}], "ranks": [0, 0],
         "responses": [[{"role": "assistant", "content": r[k]}] for k in ("chosen", "rejected")]} for r in rows
    ]  # fmt: skip
    strict = [
        row | {"prompt": [{"role": "user", "content": f"S{i}?"}], "ranks": [1, 0]} for i, row in enumerate(canonical)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in canonical + strict))
    found = audit([path], scorer="length").summary
    (file,) = found["sources"].values()
    assert file["longer"] == 0.0
    assert {d["longer"] for d in found["deciles"]} <= {0.0, 0.5}  # tenths of ties alone tell nothing


def test_rows_left_out_are_named_by_as_much_of_the_path_as_tells_files_apart(tmp_path):
    for name in ("helpful", "harmless"):
        (tmp_path / name).mkdir()
        good = [json.dumps({"prompt": f"{name} {i}?", "chosen": "yes, sure", "rejected": "no"}) for i in range(6)]
        (tmp_path / name / "train.jsonl").write_text("\n".join([*good, "{broken"]) + "\n")
    files = [tmp_path / "helpful/train.jsonl", tmp_path / "harmless/train.jsonl"]
    found = audit(files, scorer="length", output_dir=tmp_path / "D")
    assert [row["where"] for row in found.summary["left_out"]] == ["helpful/train.jsonl:7", "harmless/train.jsonl:7"]
    assert "harmless/train.jsonl:" in (tmp_path / "D/report.html").read_text()


def test_what_lies_in_an_entry_of_the_cache_goes_with_it(tmp_path):
    """A checkpoint inside an entry is counted once, and is as old as its entry."""
    for name, age in (("old", 100), ("new", 10)):
        for folder in (tmp_path / name, tmp_path / name / "model"):
            folder.mkdir()
            (folder / "seal.json").write_text("{}")
            (folder / "weights").write_bytes(b"0" * 1000)
        os.utime(tmp_path / name, (age, 1000 - age))
        os.utime(tmp_path / name / "model", (0, 0))
    assert prune(tmp_path, 5000) == 0
    assert prune(tmp_path, 3000) == 2004
    assert (tmp_path / "new/model/weights").exists()
    assert not (tmp_path / "old").exists()


@pytest.mark.slow
def test_the_cache_is_bounded(file, tmp_path):
    audit([file], model="tiny", members=2, cache=tmp_path)
    before = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert prune(tmp_path, before) == 0
    gone = prune(tmp_path, before / 2)
    left = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert gone > 0
    assert left <= before / 2
    audit([file], model="tiny", members=2, cache=tmp_path, cache_gb=1e-9, influence=True)  # by whoever fills it
    assert not list(tmp_path.rglob("*.npy"))
    assert AuditOptions(model="tiny").cache_gb == 20


@pytest.mark.slow
def test_influence_and_fair_weights_become_columns_and_a_table(file, cache, tmp_path, capsys):
    many = tmp_path / "many.jsonl"
    many.write_bytes(lines([row(p) for p in make("text-v1", n=300, seed=8).preferences]))
    found = audit([many], output_dir=tmp_path / "a", model="tiny", members=4, cache=cache, fair_by="longer")
    for name in ("influence", "self_influence", "fair_weight"):
        assert np.isfinite(found.signals[name]).all(), name
        assert name in pq.read_table(tmp_path / "a/signals.parquet").column_names
    assert (found.signals["fair_weight"] >= 0).all()
    told = json.loads((tmp_path / "a/audit.json").read_text())["influence"]
    assert told["head"].startswith("a linear head on tiny, layer ")
    assert 0 < told["harmful"] < 1
    assert set(told["worst"]) <= set(found.signals["id"])
    top, rows = told["top"], len(found.signals["id"])
    assert (top["n"], top["by_chance"]) == (-(-rows // 20), top["n"] ** 2 / rows)
    assert 0 <= top["shared"] <= top["n"]
    fair = told["fair"]
    assert set(fair["groups"]) == {"chosen longer", "chosen shorter"} | ({"equal"} & set(fair["groups"]))
    assert sum(g["n"] for g in fair["groups"].values()) == 300
    assert [o["penalty"] for o in fair["offers"]] == [None, 10.0, 1.0, 0.1]
    ranges = [o["heaviest"] - o["lightest"] for o in fair["offers"]]
    assert ranges == sorted(ranges)
    show(found.summary, [str(many)], "a")
    printed = capsys.readouterr()
    assert "groups by longer, served by heads that never saw them" in printed.out
    assert "penalty 1 (column fair_weight)" in printed.out
    assert "influence is that of a linear head on tiny" in printed.err
    assert "Who is served how well" in (tmp_path / "a/report.html").read_text()
    with pytest.raises(OptionError, match="out of fold"):
        audit([file], model="tiny", in_sample=True, influence=True)


def test_influence_alone_has_no_groups(file, cache, tmp_path):
    found = audit([file], output_dir=tmp_path / "a", model="tiny", members=4, cache=cache, influence=True)
    assert found.summary["influence"]["fair"] is None
    assert "fair_weight" not in found.signals.columns
    assert "What do single preferences do?" in (tmp_path / "a/report.html").read_text()
