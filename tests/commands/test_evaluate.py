"""`plaudit evaluate` as a person runs it."""

import json

import pytest

from plaudit.cli import run

KEYS = {"name", "kind", "n", "groups", "score", "low", "high", "ties", "random", "length_only"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"prompt": f"q{i}", "chosen": "x" * (i % 5 + 1), "rejected": "y" * 3, "id": str(i)} for i in range(60)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nbroken\n")
    return path


def test_tables_and_json(file, capsys):
    assert run(["evaluate", "length", str(file)]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("random %", "length-only %", "95 % interval", "broken down", "a.jsonl:61"))
    assert run(["evaluate", "length", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scorer"] == "length"
    assert set(document["results"][0]) >= KEYS
    assert document["results"][0]["name"] == str(file)
    assert document["counts"]["rows"] == document["counts"]["kept"] + document["counts"]["rejected"] == 61


def test_publishing_and_grading_again(file, tmp_path, capsys):
    assert run(["evaluate", "random", str(file), "--output-dir", str(tmp_path / "D")]) == 0
    assert sorted(p.name for p in (tmp_path / "D").iterdir()) == ["results.json", "scores.jsonl", "seal.json"]
    capsys.readouterr()
    assert run(["evaluate", "--scores", str(tmp_path / "D/scores.jsonl"), str(file), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["results"] == json.loads((tmp_path / "D/results.json").read_text())["results"]
    assert run(["evaluate", "random", str(file), "--output-dir", str(tmp_path / "D")]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "length"], "name either files or --suite"),
        (["evaluate", "length", "--suite", "rnb", "--suite-data", "."], "unknown suite 'rnb' (did you mean 'rmb'?)"),
        (["evaluate", "lenght", "x"], "did you mean 'length'?"),
        (["evaluate", "length", "missing.jsonl"], "missing.jsonl"),
        (["evaluate", "length", "x", "--suit", "rmb"], "--suit"),
    ],
)
def test_mistakes_are_one_message(arguments, words, capsys):
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_dry_run_and_cache(file, tmp_path, capsys):
    assert run(["evaluate", "length", str(file), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["preferences"] == 60
    for _ in range(2):
        assert run(["evaluate", "random", str(file), "--cache", str(tmp_path / "cache"), "--json"]) == 0
    first, second = capsys.readouterr().out.split("\n}\n")[:2]
    assert first == second
