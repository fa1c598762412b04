"""`plaudit demo`: the road runs, refuses to overwrite, and goes on with `tiny` where nothing can be fetched."""

import json

import pytest

from plaudit.cli import run
from plaudit.commands.demo import road


def test_an_existing_folder_is_refused_before_any_work(tmp_path, capsys):
    assert run(["demo", "--output-dir", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_too_few_pairs_are_refused(tmp_path, capsys):
    assert run(["demo", "--output-dir", str(tmp_path / "d"), "--pairs", "3"]) == 2
    assert "pairs" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_every_step_names_a_command_that_exists(tmp_path):
    from plaudit.cli import COMMANDS

    steps = road(tmp_path, "tiny", 64)
    assert {words[0] for step in steps for words in step.commands} <= set(COMMANDS)
    assert [step.commands[0][0] for step in steps] == [
        "world", "inspect", "audit", "repair", "train", "doctor", "evaluate", "score"]  # fmt: skip


@pytest.mark.slow
def test_the_road_runs_without_an_index(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "d"
    assert run(["demo", "--output-dir", str(folder), "--pairs", "64"]) == 0
    said = capsys.readouterr()
    assert "going on with tiny" in said.err
    for words in ("$ plaudit audit ", "$ plaudit repair ", "What came out", "to the byte", "what repair was worth"):
        assert words in said.out
    for name in ("raw", "repaired"):
        assert json.loads((folder / f"evaluation-{name}" / "results.json").read_text())["results"][0]["n"] == 64
    assert (folder / "undone.jsonl").read_bytes() == (folder / "train.jsonl").read_bytes()
    assert (folder / "audit" / "report.html").is_file()
    scored = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    told = [json.loads(line) for line in (folder / "evaluation-repaired" / "scores.jsonl").read_text().splitlines()]
    assert [len(row["scores"]) for row in scored] == [2] * 64
    assert {row["id"]: row["scores"] for row in scored} == {row["id"]: pytest.approx(row["scores"]) for row in told}
