"""`plaudit score` as a person runs it."""

import json

import pytest

from plaudit.cli import run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "q", "good": "yes", "bad": "no", "id": "7"}\nbroken\n')
    return path


COLUMNS = ["--columns", "prompt=question,chosen=good,rejected=bad"]


def test_scores_texts_counts_and_rejects(file, tmp_path, capsys):
    out = tmp_path / "s.jsonl"
    extra = ["--with-text", "--json", "--rejects", str(tmp_path / "r")]
    assert run(["score", "length", str(file), "--output", str(out), *COLUMNS, *extra]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["counts"]["rows"], document["counts"]["rejected"]) == (2, 1)
    assert document["rejects"][0]["where"].endswith("a.jsonl:2")
    row = json.loads(out.read_text())
    assert (row["scores"], row["texts"]) == ([3.0, 2.0], ["yes", "no"])
    assert (tmp_path / "r").read_text() == "broken\n"
    assert run(["score", "length", str(file), "--output", str(out), *COLUMNS]) == 2
    assert "exists already" in capsys.readouterr().err


def test_dry_run_writes_nothing(file, tmp_path, capsys):
    out = tmp_path / "s.jsonl"
    assert run(["score", "length", str(file), "--output", str(out), *COLUMNS, "--dry-run"]) == 0
    assert "Dry run" in capsys.readouterr().out
    assert not out.exists()


def test_cache_counts_what_was_looked_up(file, tmp_path, capsys):
    for i, expected in enumerate([(0, 2), (2, 0)]):
        arguments = ["--output", str(tmp_path / f"{i}.jsonl"), "--cache", str(tmp_path / "cache"), "--json", *COLUMNS]
        assert run(["score", "random", str(file), *arguments]) == 0
        counts = json.loads(capsys.readouterr().out)["counts"]
        assert (counts["looked_up"], counts["computed"]) == expected
    assert (tmp_path / "0.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()


def test_nothing_kept_is_an_error(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text("broken\n")
    assert run(["score", "length", str(path), "--output", str(tmp_path / "s")]) == 2
    assert "no row can be used" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]
