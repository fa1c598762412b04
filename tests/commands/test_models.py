"""`plaudit models` through the real command."""

import json

import pytest

from plaudit.cli import run
from plaudit.folders import is_sealed


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUDIT_CACHE", str(tmp_path / "cache"))


def test_the_list(capsys):
    assert run(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert set(rows) == {"tiny", "minilm-l6", "smollm2-135m"}
    assert rows["tiny"]["cached"] is False
    assert rows["minilm-l6"]["kind"] == "encoder"
    assert run(["models"]) == 0
    assert "134,515,008" in capsys.readouterr().out


def test_a_copy(tmp_path, capsys):
    assert run(["models", "tiny", "--output-dir", str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "copy")
    assert is_sealed(tmp_path / "copy", deep=True)
    assert run(["models", "tiny", "--output-dir", str(tmp_path / "copy")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_folder_that_is_there_is_refused_before_anything_is_built(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("plaudit.models.embedded.path", None)  # would fetch
    (tmp_path / "there").mkdir()
    assert run(["models", "minilm-l6", "--output-dir", str(tmp_path / "there")]) == 2
    assert "there exists already\n  choose another --output-dir" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there"]


def test_mistakes(tmp_path, capsys):
    assert run(["models", "tini"]) == 2
    assert "did you mean 'tiny'" in capsys.readouterr().err
    assert run(["models", "--output-dir", str(tmp_path / "x")]) == 2
    assert "needs the name of a model" in capsys.readouterr().err


def test_names_that_need_a_folder_stay_light():
    import subprocess
    import sys

    code = "import sys\nfrom plaudit.cli import run\nrun(['models'])\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
