"""The examples in docstrings do what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import plaudit

ROOT = Path(plaudit.__file__).parent
MODULES = [
    ".".join(("plaudit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
