"""What an audit says of itself where its votes, its rows or its annotators allow less than a rate."""

import json
import re

import numpy as np
import pytest

from plaudit.auditing.audit import audit
from plaudit.auditing.repair_caution import caution
from plaudit.auditing.show import show
from plaudit.data.worlds import make
from plaudit.data.worlds._files import lines, row
from plaudit.errors import OptionError


def world(path, n=90, seed=7, every=5, **more):
    """A text world with every fifth label turned round."""
    records = [row(p) | {k: make_one(i) for k, make_one in more.items()} for i, p in
               enumerate(make("text-v1", n=n, seed=seed).preferences)]  # fmt: skip
    for r in records[::every]:
        r["chosen"], r["rejected"] = r["rejected"], r["chosen"]
    path.write_bytes(lines(records))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    "how", [{"scorer": "length"}, {"scorer": "length,random"}, {"model": "tiny", "in_sample": True, "members": 2}]
)
@pytest.mark.parametrize("noise", ["uniform", "group"])
def test_votes_that_may_have_seen_the_labels_tell_no_rate(tmp_path, cache, capsys, how, noise):
    file = world(tmp_path / "w.jsonl")
    found = audit([file], output_dir=tmp_path / "a", cache=cache, noise=noise, wrong=0.55, **how)
    show(found.summary, [str(file)], "a")
    assert np.isnan(found.signals["p_wrong"]).all()
    told = json.loads((tmp_path / "a/audit.json").read_text())["noise"]
    assert told["model"] is None
    assert "may have learned these labels" in told["text"]
    page, screen = (tmp_path / "a/report.html").read_text(), capsys.readouterr()
    assert "may have learned these labels" in page
    assert "may have learned these labels" in screen.err
    assert "rate of wrong labels, uniform" not in screen.err
    assert (", which may have learned them</h1>" in page) == (found.summary["verdicts"]["wrong"] > 0)
    assert "No noise model was named" not in page
    assert screen.err.index("next: plaudit audit") < screen.err.index("plaudit repair")
    assert "--in-sample --" not in screen.err
    alone = how.get("scorer") == "length"
    assert "no rate of wrong labels can be told from such votes" in page
    assert ("1 given scorer, in-sample" in screen.out) == alone
    assert ("the scorer agrees with" in screen.err) == alone
    assert ("How good is the scorer?" in page) == alone
    assert (">heads</th>" in page) == ("model" in how)


def test_the_stronger_audit_keeps_the_benchmark_and_no_folder_of_it(tmp_path, cache, capsys):
    file, bench = world(tmp_path / "w.jsonl"), tmp_path / "bench.txt"
    bench.write_text("How long do I boil an egg?\n")
    found = audit([file], output_dir=tmp_path / "a", model="tiny", members=2, cache=cache, against=str(bench)).summary
    assert found["options"]["against"] == "bench.txt"
    assert str(tmp_path) not in (tmp_path / "a/audit.json").read_text()
    found = {**found, "accuracy": {"score": 0.5, "low": 0.4, "high": 0.6, "n": 90}}
    show(found, [str(file)], str(tmp_path / "a") + "/", str(bench))
    said = capsys.readouterr().err
    assert f"--model smollm2-135m --members 2 --against {bench} --output-dir {tmp_path / 'a'}-stronger" in said
    few = {**found, "accuracy": {"score": 0.5, "low": 0.4, "high": 0.6, "n": 20}}
    few["rows"] = {**few["rows"], "comparisons": 28, "ties": 8}
    show(few, [str(file)], "a")
    printed = capsys.readouterr()
    assert "28 comparisons (8 ties among them), 2 members" in printed.out
    assert "from 20 comparisons (8 ties left out) it cannot be told from a coin; bring more rows" in printed.err
    assert "next: bring more rows: plaudit audit" in printed.err
    assert "smollm2" not in printed.err


def test_one_prompt_alone_teaches_nothing_and_the_screen_says_so(tmp_path, cache, capsys):
    file = tmp_path / "one.jsonl"
    rows = [{"prompt": "Say it.", "chosen": f"kind {i}", "rejected": f"rude {i}"} for i in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    show(audit([file], model="tiny", members=2, cache=cache).summary, [str(file)], "a")
    said = capsys.readouterr().err
    assert "all comparisons are of one prompt" in said
    assert "bring rows of other prompts" in said


def test_a_lead_over_length_that_is_not_sure_sends_to_the_pairs_first(tmp_path, cache, capsys):
    file = world(tmp_path / "w.jsonl")
    found = audit([file], model="tiny", members=2, cache=cache).summary
    found["accuracy"] = {"score": 0.8, "low": 0.7, "high": 0.9, "n": 90}
    found["length"] = {**found["length"], "ahead": 0.047, "low": -0.055, "high": 0.149, "mere": False}
    show(found, [str(file)], "a")
    said = capsys.readouterr().err
    assert "not surely ahead of length alone: from 90 comparisons the two cannot be told apart" in said
    assert said.index("next: look at the pairs") < said.index("plaudit repair")


def test_groups_are_refused_by_name_before_anything_is_read(tmp_path, monkeypatch):
    file = world(tmp_path / "w.jsonl", tags=lambda i: {"topic": "ab"[i % 2]})
    told = []
    with pytest.raises(OptionError, match=r"--fair-by: no row has the tag 'mood'\n  tags of these rows: topic"):
        audit([file], model="tiny", fair_by="tag:mood", on_checks=told.extend)
    monkeypatch.setattr("plaudit.auditing.audit.gather", None)
    with pytest.raises(OptionError, match="--fair-by: unknown groups 'foo'; known: annotator, source, longer, tag:NAM"):
        audit([file], model="tiny", fair_by="foo", on_checks=told.extend)
    with pytest.raises(OptionError, match="--noise: unknown model"):
        audit([file], model="tiny", noise="foo")
    assert not told


@pytest.mark.parametrize(("n", "said"), [(180, r"--folds [23] would do"), (60, "no number of --folds would do")])
def test_too_small_groups_are_told_with_their_sizes_and_what_would_do(tmp_path, n, said):
    file = world(tmp_path / "w.jsonl", n=n, tags=lambda i: {"topic": "abc"[i % 3]})
    with pytest.raises(OptionError) as caught:
        audit([file], model="tiny", fair_by="tag:topic")
    assert "--fair-by: every fold must hold two groups to compare, but in fold" in str(caught.value)
    assert all(f"{name} {n // 3}" in str(caught.value) for name in "abc")
    assert re.search(said, str(caught.value))


@pytest.mark.parametrize(("high", "said"), [(-0.01, "the committee is behind length alone"), (0.01, "")])
def test_a_repair_warns_where_length_is_surely_better(high, said):
    held, length = {"score": 0.6, "low": 0.55, "high": 0.65, "n": 500}, {"ahead": -0.05, "low": -0.1, "high": high}
    found = {"folds": 5, "accuracy": held, "length": length, "voters": {"scorer": ""}, "members": [1, 2]}
    assert caution(found) == said
