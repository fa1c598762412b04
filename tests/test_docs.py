"""Documentation cannot rot: flags that are shown exist, examples read, and what is marked `run` runs."""

import json
import re
import shlex
from pathlib import Path

import pytest

from plaudit import catalog
from plaudit.cli import COMMANDS, _known, _unknown_flags, app, run
from plaudit.data.read import read

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)
SMALL = {"minilm-l6": "tiny", "smollm2-135m": "tiny"}  # the same road in seconds
FEWER = re.compile(r"--n \d+")
UNREAD = {"tokenised", "verl"}  # recognised to be refused
SAME = {"openrlhf": "trl_implicit"}  # the same rows by another name


def blocks(page: Path, language: str) -> list[tuple[bool, str]]:
    """(marked `run`, text) of every fenced block of that language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [("run" in marks.split(), body) for kind, marks, body in found if kind == language]


def commands(body: str) -> list[list[str]]:
    """The command lines of a shell block, continued lines joined."""
    lines = body.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_and_flag_that_is_shown_exists(page):
    table = app()
    for _, body in blocks(page, "sh"):
        for words in commands(body):
            if "plaudit" not in words:
                continue
            argv = words[words.index("plaudit") + 1 :]
            assert argv[0] in COMMANDS, words
            known = _known(table, argv[0])
            assert not _unknown_flags(known | {"--config": None}, argv)[1], words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_inside_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_layout_has_an_example_that_reads(tmp_path):
    text = (ROOT / "docs" / "layouts.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^### (\w+)\n.*?```json\n(.*?)\n```", text, re.M | re.S))
    assert set(shown) == set(catalog.names("plaudit.data.layouts"))
    for name, example in shown.items():
        json.loads(example)
        file = tmp_path / f"{name}.jsonl"
        file.write_text(example + "\n", encoding="utf-8")
        (row,) = read(file)
        assert row.layout == SAME.get(name, name)
        assert row.kept == (name not in UNREAD), (name, row.reason)


RUNNABLE = [p for p in PAGES if any(marked for kind in ("sh", "python") for marked, _ in blocks(p, kind))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda p: p.name)
def test_what_is_marked_runs_in_the_order_of_the_page(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for kind, marks, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if "run" not in marks.split():
            continue
        for large, small in SMALL.items():
            body = body.replace(large, small)
        if kind == "python":
            exec(compile(body, page.name, "exec"), {})
            continue
        for words in commands(FEWER.sub("--n 64", body)):
            if words[0] == "printf":
                Path(words[-1]).write_text(words[1].replace("\\n", "\n"), encoding="utf-8")
            else:
                assert run(words[1:]) == 0, (words, capsys.readouterr().err)
