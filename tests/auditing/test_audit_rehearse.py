"""`audit --dry-run`: what an audit would read, take and train, and nothing on disk."""

import json

import pytest

from plaudit.auditing.options import AuditOptions
from plaudit.auditing.rehearse import rehearse
from plaudit.cli import run
from plaudit.data.worlds import make
from plaudit.data.write import write
from plaudit.models.backbone import load_backbone
from plaudit.models.lora import attach

ROWS = 30


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rehearsal") / "world.jsonl"
    write(make("text-v1", n=ROWS, seed=5).preferences, "canonical", path)
    return path


def test_heads_take_one_pass_and_no_training(file):
    found = rehearse([str(file)], AuditOptions(model="tiny", layers="1,2", pools="both"))
    assert found["rows"] == {"read": ROWS, "rejected": 0, "preferences": ROWS}
    (trunk,) = found["trunks"]
    width = load_backbone("tiny", for_training=True).model.config.hidden_size
    assert trunk["disk_bytes"] == 2 * ROWS * 2 * 2 * width * 2  # responses, layers, pools; float16
    assert trunk["seconds"] > 0
    assert trunk["trainings"] is None


@pytest.mark.slow
def test_trained_members_are_counted_in_models_time_and_disk(file):
    loaded = load_backbone("tiny", for_training=True)
    whole = sum(p.numel() for p in loaded.model.parameters())
    adapters = sum(p.numel() for n, p in attach(loaded.model).named_parameters() if ".lora_" in n)
    for heads, weights in (("full", whole), ("lora", adapters)):
        options = AuditOptions(model="tiny,tiny", heads=heads, members=3, folds=4)
        trunks = rehearse([str(file)], options)["trunks"]
        first, second = (t["trainings"] for t in trunks)
        assert (first["models"], second["models"]) == (8, 4)  # members take the trunks in turns
        assert first["disk_bytes"] == 2 * 8 * 4 * weights
        passes = [t["trainings"]["seconds"] / t["seconds"] for t in trunks]  # whatever the clock said of a pass
        assert passes[0] == pytest.approx(2 * passes[1])
        assert passes[1] > 4  # every model has at least a pass of its own


def test_the_command_says_so_and_writes_nothing(file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ["audit", str(file), "--model", "tiny", "--output-dir", "D", "--cache", "C", "--dry-run"]
    assert run(argv) == 0
    assert "heads come on top" in capsys.readouterr().out
    assert run([*argv, "--heads", "lora"]) == 0
    assert "what the members would take" in capsys.readouterr().out
    assert run([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["model"] == "tiny"
    assert list(tmp_path.iterdir()) == []
