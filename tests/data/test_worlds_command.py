"""`plaudit world`: files that the rest of the road reads, nothing overwritten, every mistake at once."""

import json

import numpy as np

from plaudit.cli import run
from plaudit.data.read import read


def test_a_text_world_is_read_back_as_it_was_made(tmp_path, capsys):
    from plaudit.data.worlds import make

    out = tmp_path / "w.jsonl"
    assert run(["world", "text-v1-annotators", "--output", str(out), "--n", "40", "--seed", "4", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    truth = [json.loads(line) for line in (tmp_path / "w.jsonl.truth.jsonl").read_text().splitlines()]
    assert facts["rows"] == 40 == len(truth)
    assert facts["flipped"] == sum(t["flipped"] for t in truth)
    back = [record for row in read([str(out)]) for record in row.records]
    for mine, made, true in zip(back, make("text-v1-annotators", n=40, seed=4).preferences, truth, strict=True):
        assert (mine.id, mine.prompt, mine.responses) == (made.id, made.prompt, made.responses)
        assert (mine.annotator, mine.group, mine.ranks) == (made.annotator, made.group, (0, 1))
        assert dict(mine.tags) == dict(made.tags)
        assert true["id"] == mine.id
        assert (true["gold"][1] > true["gold"][0]) == true["clean_better"] == true["flipped"]


def test_a_vector_world_is_an_npz(tmp_path):
    out, truth = tmp_path / "v.npz", tmp_path / "t.jsonl"
    assert run(["world", "vector-v1-flip25", "--output", str(out), "--truth", str(truth), "--n", "30"]) == 0
    with np.load(out) as found:
        assert found["features"].shape == (30, 2, 64)
        assert ((found["labels"] != found["clean_better"]) == found["flipped"]).all()
        assert list(found["ids"]) == [json.loads(line)["id"] for line in truth.read_text().splitlines()]


def test_nothing_is_overwritten_and_mistakes_come_together(tmp_path, capsys):
    out = tmp_path / "w.jsonl"
    out.write_text("mine")
    assert run(["world", "--output", str(out), "--truth", str(out)]) == 2
    said = capsys.readouterr().err
    assert "no world was named" in said
    assert "--truth and --output are the same file" in said
    assert f"{out} exists already" in said
    assert out.read_text() == "mine"
    assert run(["world", "text-v1", "--output", str(tmp_path / "none" / "w.jsonl")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert run(["world", "text-v1-flip", "--output", str(tmp_path / "x.jsonl")]) == 2
    assert "did you mean 'text-v1-flip" in capsys.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()


def test_the_list_names_every_preset(capsys):
    from plaudit.data.worlds import presets

    assert run(["world", "--list", "--json"]) == 0
    assert [w["name"] for w in json.loads(capsys.readouterr().out)["worlds"]] == list(presets())


def test_one_file_under_two_names_is_not_written_twice(tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    out, truth = tmp_path / "w.jsonl", tmp_path / "sub" / ".." / "w.jsonl"
    assert run(["world", "text-v1", "--n", "2", "--output", str(out), "--truth", str(truth)]) == 2
    assert "are the same file" in capsys.readouterr().err
    assert not out.exists()
