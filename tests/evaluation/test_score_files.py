"""Scoring files: the bytes of an uninterrupted run, whatever happened on the way."""

import gzip
import json
import os
import subprocess
import sys

import pytest

import plaudit
from plaudit.cli import run
from plaudit.errors import DataError, Interrupted, OptionError, PlauditError
from plaudit.evaluation.score import score
from plaudit.evaluation.scores import line, read_scores
from plaudit.records import group, pair
from plaudit.report import terminal

ROWS = 300


def rows_of(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [json.dumps({"prompt": f"p{i}", "chosen": f"a{i}", "rejected": "b" * (i % 9 + 1)}) for i in range(ROWS)]
    lines[7] = '{"prompt": "cut'
    path.write_text("\n".join(lines) + "\n")
    return path


def test_one_line_per_preference_in_file_order(file, tmp_path):
    out = tmp_path / "out.jsonl"
    found = score(plaudit.load("length"), file, out, with_text=True, rejects=tmp_path / "bad.jsonl")
    kept = rows_of(out)
    preferences = [r for row in plaudit.read(file) for r in row.records]
    assert (found.rows, found.kept, found.rejected, len(kept)) == (ROWS, ROWS - 1, 1, ROWS - 1)
    assert kept[0] == {
        "id": kept[0]["id"], "content": preferences[0].content, "scores": [2.0, 1.0], "texts": ["a0", "b"],
    }  # fmt: skip
    assert [row["texts"][0] for row in kept] == [f"a{i}" for i in range(ROWS) if i != 7]
    assert (tmp_path / "bad.jsonl").read_text() == '{"prompt": "cut\n'
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.jsonl", "in.jsonl", "out.jsonl"]
    stored = read_scores(out)
    assert [s.tolist() for s in stored.score_all(preferences)] == [row["scores"] for row in kept]


def test_scores_are_not_taken_for_other_texts_of_the_same_id(tmp_path):
    """A repair that flips keeps ids and exchanges the sides: the old scores would be read the wrong way round."""
    rows = [pair(f"p{i}", "yes", "no", id=str(i)) for i in range(4)]
    plaudit.evaluate("length", rows, output_dir=tmp_path / "D")
    flipped = [*rows[:3], pair("p3", "no", "yes", id="3")]
    with pytest.raises(DataError, match=r"id 3.*holds scores of other texts, or of another order.*\n.*score this"):
        plaudit.evaluate(None, flipped, scores=tmp_path / "D" / "scores.jsonl")
    softened = [pair(f"p{i}", "yes", "no", id=str(i), target=0.8, margin=0.5) for i in range(4)]
    assert plaudit.evaluate(None, softened, scores=tmp_path / "D" / "scores.jsonl").results[0].score == 1


def test_an_output_that_is_whole_is_refused_before_a_scorer_is_loaded(file, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    for words, said in (([], "exists already\n"), (["--resume"], "is whole: nothing is left to resume")):
        assert run(["score", str(tmp_path / "no such model"), str(file), "--output", str(out), *words]) == 2
        assert said in capsys.readouterr().err


def test_nothing_is_overwritten(file, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    for resume in (False, True):
        with pytest.raises(PlauditError, match=r"out\.jsonl exists already"):
            score(plaudit.load("length"), file, out, resume=resume)
    assert out.read_text() == "mine"


def test_rejects_are_not_overwritten_either(file, tmp_path):
    out, bad = tmp_path / "out.jsonl", tmp_path / "bad.jsonl"
    bad.write_text("mine")
    for resume in (False, True):
        with pytest.raises(PlauditError, match=r"bad\.jsonl exists already"):
            score(plaudit.load("length"), file, out, resume=resume, rejects=bad)
    assert not out.exists()
    with pytest.raises(Interrupted):
        score(plaudit.load(Dying(1)), file, out, chunk=16)
    with pytest.raises(PlauditError, match="holds other rows"):
        score(plaudit.load("random"), file, out, chunk=16, resume=True, rejects=bad)
    assert bad.read_text() == "mine"
    assert not out.exists()
    bad.write_text('{"prompt": "cut\n')  # as a run would leave it that was killed between its two last names
    score(plaudit.load("random"), file, out, chunk=16, resume=True, rejects=bad)
    assert len(rows_of(out)) == ROWS - 1
    with pytest.raises(OptionError, match="are one file"):
        score(plaudit.load("length"), file, tmp_path / "x.jsonl", rejects=tmp_path / "x.jsonl")


def test_an_unfinished_run_that_was_removed_is_gone(file, tmp_path):
    out = tmp_path / "out.jsonl"
    with pytest.raises(Interrupted):
        score(plaudit.load(Dying(1)), file, out, chunk=16)
    (tmp_path / ".out.jsonl.part").unlink()
    (tmp_path / ".out.jsonl.position").write_text("{}")
    score(plaudit.load("random"), file, out, chunk=16)
    assert not list(tmp_path.glob(".out*"))


class Dying:
    """Random scores, until the n-th call."""

    def __init__(self, calls, error=KeyboardInterrupt):
        self.inner, self.calls, self.error = plaudit.load("random"), calls, error
        self.fingerprint, self.seen = self.inner.fingerprint, 0

    def score_all(self, preferences):
        if self.calls == 0:
            raise self.error
        self.calls -= 1
        self.seen += len(preferences)
        return self.inner.score_all(preferences)


@pytest.fixture
def straight(file, tmp_path):
    score(plaudit.load("random"), file, tmp_path / "straight.jsonl", chunk=16)
    return (tmp_path / "straight.jsonl").read_bytes()


@pytest.mark.parametrize("calls", [0, 1, 5, 18])
def test_an_interrupted_run_goes_on(file, straight, tmp_path, calls, monkeypatch):
    monkeypatch.setattr("plaudit.evaluation.score.EVERY", 0)
    out = tmp_path / "out.jsonl"
    with pytest.raises(Interrupted, match="--resume goes on"):
        score(plaudit.load(Dying(calls)), file, out, chunk=16)
    assert not out.exists()
    with pytest.raises(PlauditError, match="an unfinished run waits here"):
        score(plaudit.load(Dying(99)), file, out, chunk=16)
    second = Dying(99)
    score(plaudit.load(second), file, out, chunk=16, resume=True)
    assert out.read_bytes() == straight
    assert second.seen == max(0, ROWS - 1 - 16 * calls)
    assert not list(tmp_path.glob(".*"))


def test_another_run_is_refused(file, tmp_path, monkeypatch):
    monkeypatch.setattr("plaudit.evaluation.score.EVERY", 0)
    out = tmp_path / "out.jsonl"
    with pytest.raises(Interrupted):
        score(plaudit.load(Dying(2)), file, out, chunk=16)
    with pytest.raises(PlauditError, match="another run: its scorer differ"):
        score(plaudit.load("random", seed=1), file, out, chunk=16, resume=True)
    with file.open("a") as more:
        more.write('{"prompt": "p", "chosen": "a", "rejected": "b"}\n')
    with pytest.raises(PlauditError, match="its data differ"):
        score(plaudit.load("random"), file, out, chunk=16, resume=True)


def test_nan_stops_with_the_row_and_keeps_the_part(file, tmp_path):
    class Nan(Dying):
        def score_all(self, preferences):
            return [s * float("nan") for s in self.inner.score_all(preferences)]

    with pytest.raises(DataError, match=r"in\.jsonl:1 \(id .*the score of response 1 is not a number"):
        score(plaudit.load(Nan(1)), file, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


KILLED = """
import os, sys, time
import plaudit
from plaudit.evaluation import score as room
room.EVERY = 0
source, out, moment = sys.argv[1:4]
inner = plaudit.load("random")
calls = 0
real = {name: getattr(os, name) for name in ("fsync", "replace", "link", "unlink")}
def deadly(name):
    def call(*a, **k):
        global calls
        calls += 1
        if calls == int(moment):
            os.kill(os.getpid(), 9)
        return real[name](*a, **k)
    return call
for name in real:
    setattr(os, name, deadly(name))
room.score(inner, source, out, chunk=64, resume=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 6, 9, 14, 18, 20, 21, 22, 23])
def test_killed_at_a_system_call_and_resumed(file, tmp_path, moment):
    score(plaudit.load("random"), file, tmp_path / "straight.jsonl", chunk=64)
    out = tmp_path / "out.jsonl"
    arguments = [sys.executable, "-c", KILLED, str(file), str(out)]
    first = subprocess.run([*arguments, str(moment)], capture_output=True, text=True)
    assert first.returncode in (-9, 0), first.stderr
    if first.returncode == -9 and not (out.exists() and not list(tmp_path.glob(".out*"))):
        second = subprocess.run([*arguments, "-1"], capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
    assert out.read_bytes() == (tmp_path / "straight.jsonl").read_bytes()
    assert not list(tmp_path.glob(".out*"))


def test_a_lone_surrogate_survives_a_score_file(tmp_path):
    row = line(pair("p", "a\ud800", "b", id="s"), [1, 2], ["a\ud800", "b"])
    assert json.loads(row)["texts"][0] == "a\ud800"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "a", "scores": [1]}\n{"id": "a", "scores": [1]}', r"s\.jsonl:2: id 'a' comes twice"),
        ('{"id": "a", "scores": ["1"]}', "scores must be numbers"),
        ('{"id": "a", "scores": [true]}', "scores must be numbers"),
        ('{"id": 3, "scores": [1]}', "not a score row"),
        ('{"id": "a", "scores"', r"s\.jsonl:1: broken JSON"),
    ],
)
def test_broken_score_files(tmp_path, text, words):
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(DataError, match=words):
        read_scores(tmp_path / "s.jsonl")


def test_a_damaged_gzip_is_a_message(tmp_path):
    raw = bytearray(gzip.compress(b'{"id": "a", "scores": [1, 2, 3, 4, 5, 6, 7, 8]}\n' * 40))
    raw[20:40] = b"\xff" * 20
    (tmp_path / "s.jsonl.gz").write_bytes(bytes(raw))
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path / "s.jsonl.gz")


def test_a_hostile_id_does_not_reach_the_terminal(tmp_path, capsys):
    (tmp_path / "s.jsonl").write_text("")
    row = {"id": "\x1b[2Jx", "prompt": "p", "chosen": "a", "rejected": "b"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    assert run(["evaluate", "--scores", str(tmp_path / "s.jsonl"), str(tmp_path / "a.jsonl")]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\\x1b[2Jx" in err
    assert terminal.as_json({"\ud800": 1}).encode()


def test_a_killed_process_id_is_not_reused_in_names(tmp_path, file):
    """Part and position are named by the output alone, so another process finds them."""
    out = tmp_path / "out.jsonl"
    with pytest.raises(Interrupted):
        score(plaudit.load(Dying(1)), file, out, chunk=16)
    assert str(os.getpid()) not in "".join(p.name for p in tmp_path.glob(".out*"))


def test_a_row_without_a_score_loses_whatever_its_label_says(tmp_path):
    """Turned round by its target, in every comparison of a list; what was never scored is not written down either."""
    (tmp_path / "s.jsonl").write_text('{"id": "f", "scores": [1e999, 1]}\n{"id": "k", "scores": [2, 1]}\n')
    rows = [pair("p", "a", "b", id="f", target=0.2), pair("q", "a", "b", id="g"), pair("r", "a", "b", id="k")]
    rows += [group("s", ["a", "b", "c"], (0, 1, 2), id=f"l{t}", target=t) for t in (None, 0.2)]
    found = plaudit.evaluate(None, rows, scores=tmp_path / "s.jsonl", missing="loss", output_dir=tmp_path / "D")
    assert {r.kind: (r.n, r.score) for r in found.results} == {
        "pairs": (3, 1 / 3), "list comparisons": (6, 0), "lists": (2, 0),
    }  # fmt: skip
    assert found.counts["without_score"] == 4
    assert rows_of(tmp_path / "D" / "scores.jsonl") == [{"id": "k", "content": rows[2].content, "scores": [2.0, 1.0]}]


@pytest.mark.parametrize(("missing", "advice"), [("error", "say --missing loss"), ("loss", "leave it out")])
def test_a_stored_score_that_is_not_finite_names_its_row(tmp_path, missing, advice):
    (tmp_path / "s.jsonl").write_text('{"id": "a", "scores": [1e999]}')
    rated = group("p", ["x"], None, id="a", ratings=({"stars": 1.0},), source="f:1")
    with pytest.raises(DataError, match=rf"f:1 \(id a\): its score in .* is not a finite number\n.*{advice}"):
        plaudit.evaluate(None, [rated], scores=tmp_path / "s.jsonl", missing=missing)


def test_a_folder_for_rejects_that_there_is_not(file, tmp_path):
    with pytest.raises(PlauditError, match=r"in\.jsonl is no folder"):
        score(plaudit.load("length"), file, tmp_path / "out.jsonl", rejects=file / "bad.jsonl")
