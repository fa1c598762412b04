"""`plaudit doctor`: a document or a table, and exit 0, 1 or 2."""

import json
import shutil

import pytest
import torch

from families import tiny_family
from plaudit.cli import run
from plaudit.models import checkpoint
from plaudit.models.heads.scalar import last_layer

QUICK = ["--longest", "96"]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rm") / "final"
    folder.mkdir()
    model, tokenizer = tiny_family("llama")
    with torch.no_grad():
        last_layer(model).weight.add_(1.0)
    checkpoint.save(folder, model, tokenizer, {})
    (folder / "plaudit.json").unlink()  # as another tool would have saved it
    return folder


def test_a_healthy_checkpoint_exits_0_and_prints_one_document(healthy, capsys):
    assert run(["doctor", str(healthy), "--json", *QUICK]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    names = [c["name"] for c in document["checks"]]
    assert len(names) == len(set(names)) == 22
    assert all(set(c) == {"name", "status", "deviation", "advice"} for c in document["checks"])
    assert {c["status"] for c in document["checks"]} <= {"pass", "skip"}


def test_the_table_names_every_check_and_the_verdict(healthy, capsys):
    assert run(["doctor", str(healthy), "--only", "pad,token-tree,seal", *QUICK]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("pad", "token-tree", "seal", "healthy"))
    assert "sigmoid" not in out


def test_a_defect_exits_1(healthy, tmp_path, capsys):
    folder = shutil.copytree(healthy, tmp_path / "ill")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    assert run(["doctor", str(folder), "--json", *QUICK]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    failed = {c["name"]: c for c in document["checks"] if c["status"] == "fail"}
    assert set(failed) == {"sigmoid", "pipeline"}
    assert failed["pipeline"]["deviation"] > 1e-5
    assert run(["doctor", str(folder), "--only", "sigmoid", *QUICK]) == 1
    assert "1 failed: sigmoid" in capsys.readouterr().out


def test_a_path_that_passed_by_its_allowance_is_named_in_the_closing_line(healthy, capsys):
    only = ["--only", "left-padded,right-padded", *QUICK]
    assert run(["doctor", str(healthy), "--json", *only]) == 0
    document = json.loads(capsys.readouterr().out)
    moved = {c["name"]: c["deviation"] for c in document["checks"]}["left-padded"]
    assert document["allowed"] == []
    assert moved > 0
    assert run(["doctor", str(healthy), "--tolerance", str(moved / 5), "--only", "left-padded", *QUICK]) == 0
    assert f"but left-padded within {moved:.1g}; no defect found" in capsys.readouterr().out
    assert run(["doctor", str(healthy), "--tolerance", str(moved / 20), "--only", "left-padded", *QUICK]) == 1


def test_beyond_tolerance_exits_1(healthy, capsys):
    assert run(["doctor", str(healthy), "--tolerance", "1e-12", "--only", "token-tree", *QUICK]) == 1
    assert "1 failed: token-tree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere/at/all"], "no such folder"),
        (["tiny", "--only", "pat,seals"], "unknown check 'pat' (did you mean 'pad'?)\nunknown check 'seals'"),
        (["tiny", "--tolerance", "0"], "tolerance"),
        (["tiny", "--toleranc", "1"], "did you mean --tolerance?"),
    ],
)
def test_what_cannot_be_examined_exits_2(arguments, told, capsys):
    assert run(["doctor", *arguments]) == 2
    assert told in capsys.readouterr().err
