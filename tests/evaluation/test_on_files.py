"""Evaluation on preferences: hand-made rows whose every number is known, and real files."""

import json

import numpy as np
import pytest

import plaudit
from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.evaluation.trained import Trained
from plaudit.records import group, message, pair


def only(found, kind):
    return next(r for r in found.results if r.kind == kind)


def test_pairs_lists_ties_and_what_is_left_out():
    rows = [
        pair("1", "long", "x"),
        pair("2", "x", "long"),
        pair("3", "abc", "xyz"),
        group("4", ["aaaa", "bb", "c"], (0, 1, 2)),
        group("5", ["aa", "bb", "c"], (0, 1, 1)),
        group("6", ["a", "b"], (0, 0)),
        group("7", ["a", "b"], None),
        pair("8", "x", "long", target=0.0),
        pair("9", "x", "long", target=0.5),
    ]
    found = plaudit.evaluate("length", rows)
    assert (only(found, "pairs").n, only(found, "pairs").score, only(found, "pairs").ties) == (4, 2.5 / 4, 0.25)
    lists = only(found, "lists")
    assert (lists.n, lists.score, lists.ties, lists.random) == (2, 0.5, 0.5, 1 / 3)
    assert (only(found, "list comparisons").n, only(found, "list comparisons").score) == (5, 4.5 / 5)
    assert (found.counts["labelled_ties"], found.counts["unjudged"], found.counts["flipped_by_target"]) == (2, 1, 1)
    assert only(plaudit.evaluate("length", rows, ties="loss"), "pairs").score == 0.5
    assert only(plaudit.evaluate("length", rows, ties="win"), "pairs").score == 0.75


def test_a_list_is_turned_round_by_its_target_as_in_training():
    row = group("p", ["a", "bb", "ccc"], (0, 1, 2), target=0.2)
    found = plaudit.evaluate("length", [row])
    assert {r.kind: r.score for r in found.results} == {"list comparisons": 1, "lists": 1}
    assert found.counts["flipped_by_target"] == 1


def test_whatever_the_order_of_rows_and_responses():
    random = np.random.default_rng(0)
    rows = [pair(f"p{i % 40}", "a" * random.integers(1, 9), "b" * random.integers(1, 9), id=str(i)) for i in range(200)]
    swapped = [group(p.prompt, p.responses[::-1], (1, 0), id=p.id) for p in reversed(rows)]
    for scorer in ("length", "random"):
        first, second = plaudit.evaluate(scorer, rows), plaudit.evaluate(scorer, swapped)
        assert first.results == second.results
        assert first.breakdown == second.breakdown


def test_intervals_are_clustered_by_prompt():
    rows = [pair(f"p{i // 10}", "x" * (1 + i // 10 % 2), "y" * (2 - i // 10 % 2), id=str(i)) for i in range(400)]
    whole = plaudit.evaluate("length", rows).results[0]
    apart = plaudit.evaluate("length", rows, group_by="id").results[0]
    assert (whole.groups, whole.score) == (40, 0.5)
    assert (whole.high - whole.low) > 2.5 * (apart.high - apart.low)


def test_breakdown_by_length_turns_and_tags():
    turns = [message("user", "q"), message("assistant", "a"), message("user", "q2")]
    rows = [pair(f"{i}", "long", "x", tags={"topic": "a", "index": str(i)}) for i in range(30)]
    rows += [pair(turns, f"x{i}", "longer", tags={"topic": "b", "index": f"b{i}"}) for i in range(12)]
    found = plaudit.evaluate("length", rows).breakdown
    scores = {(line["by"], line["value"]): (line["n"], line["score"]) for line in found}
    assert scores == {
        ("length", "chosen is longer"): (30, 1.0), ("length", "chosen is shorter"): (12, 0.0),
        ("turns", "1 turn"): (30, 1.0), ("turns", "2 turns"): (12, 0.0),
        ("tag topic", "a"): (30, 1.0), ("tag topic", "b"): (12, 0.0),
    }  # fmt: skip


def test_tag_values_of_nine_rows_share_a_line_and_no_row_is_left_out():
    topics = 30 * "a" + 10 * "b" + 9 * "c" + 3 * "d"
    rows = [pair(f"{i}", "long", "x", tags={"topic": topic}) for i, topic in enumerate(topics)]
    found = plaudit.evaluate("length", rows).breakdown
    lines = {line["value"]: line["n"] for line in found if line["by"] == "tag topic"}
    assert lines == {"a": 30, "b": 10, "(2 other values)": 12}


def test_of_many_tag_values_the_sixteen_most_frequent_have_a_line_and_the_rest_share_the_last():
    rows = [pair(f"{k} {i}", "long", "x", tags={"topic": f"t{k:02}"}) for k in range(19) for i in range(10 + k)]
    lines = [x for x in plaudit.evaluate("length", rows).breakdown if x["by"] == "tag topic"]
    assert [x["value"] for x in lines] == [f"t{k:02}" for k in range(3, 19)] + ["(3 other values)"]
    assert sum(x["n"] for x in lines) == len(rows)


def test_ratings_without_ranks_are_correlated():
    rows = [group(f"{i}", ["x" * i], None, ratings=({"quality": float(i)},)) for i in range(1, 40)]
    line = plaudit.evaluate("length", rows).results[0]
    assert (line.kind, line.n, line.score, line.length_only, line.random) == ("spearman, quality", 39, 1.0, 1.0, 0.0)
    assert abs(plaudit.evaluate("random", rows).results[0].score) < 0.5


class Broken:
    fingerprint = ""

    def score_all(self, preferences):
        return [np.array([1.0, np.nan]) for _ in preferences]


def test_nan_names_the_row_and_nothing_is_published(tmp_path):
    with pytest.raises(DataError, match=r"f:3 \(id x\): the score of response 2 is not a number"):
        plaudit.evaluate(Broken(), [pair("p", "a", "b", id="x", source="f:3")], output_dir=tmp_path / "D")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_the_training_data_are_found(tmp_path, monkeypatch):
    from plaudit.data.split import group_digest

    rows = [pair(f"p{i // 2}", "aa", "b") for i in range(10)]
    seen = {"groups": {"by": "auto", "train": [f"{group_digest(p):016x}" for p in rows[:3]]}}
    (tmp_path / "plaudit.json").write_text(json.dumps(seen))
    handle = plaudit.load("length")
    handle.name = str(tmp_path)
    files = {"preferences": {"groups": 2, "rows": 4}}
    assert plaudit.evaluate(handle, rows).seen == {"groups": 2, "rows": 4, "files": files}
    assert plaudit.evaluate("length", rows).seen is None
    monkeypatch.setenv("HOME", str(tmp_path))
    handle.name = "~"
    assert plaudit.evaluate(handle, rows).seen == {"groups": 2, "rows": 4, "files": files}
    (tmp_path / "plaudit.json").write_text('{"groups": {"train": ["zz"]}}')
    with pytest.raises(PlauditError, match="training groups cannot be read"):
        Trained.of(handle)


def test_rows_of_the_training_data_are_counted_and_marked_file_by_file(tmp_path, capsys):
    from plaudit.data.split import group_digest
    from plaudit.evaluation.show import show_evaluation

    old = [pair(f"p{i // 2}", "aa", "b", id=f"o{i}", source=f"old.jsonl:{i + 1}") for i in range(10)]
    new = [pair(f"n{i}", "a", "bb", id=f"n{i}", source=f"new.jsonl:{i + 1}") for i in range(10)]
    kept = {"groups": {"by": "auto", "train": [f"{group_digest(p):016x}" for p in old[:3]]}}
    (tmp_path / "plaudit.json").write_text(json.dumps(kept))
    handle = plaudit.load("length")
    handle.name = str(tmp_path)
    found = plaudit.evaluate(handle, [*new, *old])
    assert found.seen == {"groups": 2, "rows": 4, "files": {"old.jsonl": {"groups": 2, "rows": 4}}}
    show_evaluation(found)
    out, err = capsys.readouterr()
    names = [line.split()[0] for line in out.splitlines() if "pairs" in line]
    assert names == ["new.jsonl", "old.jsonl*", "all"]
    assert "all files*" in out
    assert "source  old.jsonl*" in " ".join(out.split()).replace("source ", "source  ")
    assert "* old.jsonl: 4 of its rows (2 prompts)" in err
    assert "new.jsonl" not in err
    show_evaluation(plaudit.evaluate(handle, new))
    out, err = capsys.readouterr()
    assert "*" not in out
    assert "no prompt here is in the scorer's training data" in err


def test_breakdown_by_source_shows_files_that_pull_in_opposite_directions(tmp_path):
    rows = [pair(f"h{i}", "long", "x", id=f"h{i}", source=f"helpful.jsonl:{i}") for i in range(12)]
    rows += [pair(f"s{i}", "x", "long", id=f"s{i}", source=f"harmless.jsonl:{i}") for i in range(12)]
    found = plaudit.evaluate("length", rows, output_dir=tmp_path / "D")
    lines = {line["value"]: (line["n"], line["score"]) for line in found.breakdown if line["by"] == "source"}
    assert lines == {"helpful.jsonl": (12, 1.0), "harmless.jsonl": (12, 0.0)}
    written = json.loads((tmp_path / "D" / "results.json").read_text())
    assert [line["value"] for line in written["breakdown"] if line["by"] == "source"] == sorted(lines)
    assert not [line for line in plaudit.evaluate("length", rows[:12]).breakdown if line["by"] == "source"]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("length",), {}, "name either files or --suite"),
        (("length", ["a"]), {"suite": "rmb"}, "name either files or --suite"),
        ((None, ["a"]), {}, "name a scorer"),
        (("length", ["a"]), {"scores": "f"}, "takes the place of the scorer"),
        (("length",), {"suite": "rmb"}, "needs --suite-data"),
        (("length", ["a"]), {"missing": "loss"}, "--missing is about stored scores"),
        ((None, ["a"]), {"scores": "f", "cache": "c", "dtype": "bfloat16"}, "--dtype does nothing.*\n--cache does"),
        (("length", ["a"]), {"tie": "half"}, "tie: Extra inputs"),
        (
            (None, ["a"]),
            {"scores": "f", "combine": "min", "allow_pickles": True},
            "--allow-pickles does.*\n--combine does",
        ),
        (
            ("length",),
            {"suite": "rmb", "suite_data": "d", "group_by": "id", "layout": "trl"},
            "--group-by is about files",
        ),
        (("length", ["a"]), {"suite_data": "d"}, "--suite-data is about --suite"),
        ((plaudit.load("length"), ["a"]), {"combine": "min"}, "this scorer is loaded already"),
    ],
)
def test_contradicting_options(arguments, options, words):
    with pytest.raises(OptionError, match=words):
        plaudit.evaluate(*arguments, **options)


def test_only_ties_are_nothing_to_judge_by():
    with pytest.raises(PlauditError, match="nothing to judge by.*\n.*1 labelled ties"):
        plaudit.evaluate("length", [group("6", ["a", "b"], (0, 0))])


def test_real_files_agree_with_their_published_length_accuracy(data):
    won = {"hh/helpful-base/test.jsonl.gz": 0.585 * 400, "hh/harmless-base/test.jsonl.gz": 0.455 * 400}
    found = plaudit.evaluate("length", [data / f for f in won])
    for line, expected in zip(found.results, won.values()):
        assert line.n >= 399  # a row whose sides answer different prompts is refused
        assert line.n * line.score == pytest.approx(expected, abs=0.2)
    assert found.results[-1].name == "all files"
    assert found.results[-1].n == sum(line.n for line in found.results[:2])
