"""What reaches the screen is safe to print, and the JSON document is one valid document."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.report import terminal


@given(st.text())
def test_no_control_character_reaches_the_screen(text):
    shown = terminal.clean(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2028\u2029")
    shown.encode("utf-8")
    if text.isalnum():
        assert shown == text


@given(st.text(), st.integers(1, 20))
def test_a_width_is_kept(text, width):
    assert len(terminal.clean(text, width)) <= width


def test_escapes_are_shown_not_obeyed():
    assert terminal.clean("a\x1b[2Jb\ud800") == "a\\x1b[2Jb\\ud800"
    assert terminal.clean("abcdef", 4) == "abc…"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(value=values)
def test_the_document_is_json_whatever_is_in_it(value):
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        terminal.document({"value": value, "tuple": (1, math.inf)})
    text = out.getvalue()
    text.encode("utf-8")
    assert json.loads(text)["tuple"] == [1, None]
    assert "NaN" not in text or "NaN" in str(value)


def test_notes_go_to_stderr(capsys):
    terminal.note("reading")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "reading\n")


def test_a_table_prints_numbers_to_the_right_and_texts_escaped(capsys):
    rows = [["plain", 1234, 0.51234], ["[red]not markup[/red]\x1b[0m", 7, 123.456], ["absent", None, True]]
    terminal.table("counts <b>", ["what", "n", "share"], rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "counts <b>"
    body = "\n".join(lines)
    assert "[red]not markup[/red]\\x1b[0m" in body
    for shown in ("1,234", "0.512", "123.5", "-", "yes"):
        assert shown in body
    column = {
        line.rstrip().rfind(figure) + len(figure) for line in lines for figure in ("1,234 ", "    7 ") if figure in line
    }
    assert len(column) == 1
    assert "\x1b" not in body


def test_a_table_without_rows_is_a_heading(capsys):
    terminal.table("nothing", ["a", "b"], [])
    assert "a" in capsys.readouterr().out


@pytest.mark.parametrize("total", [3, None])
def test_progress_is_silent_away_from_a_terminal(capsys, total):
    with terminal.progress("scoring\x1b", total) as bar:
        bar.advance(1, accuracy=0.5, tokens=12)
        bar.advance(2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\x1b" not in captured.err


def test_work_told_early_moves_the_bar_once():
    with terminal.progress("scoring", 10) as bar:
        at = lambda: bar._shown.tasks[0].completed  # noqa: E731
        bar.early(3)
        assert at() == 3
        bar.advance(2)
        assert at() == 3  # two of the three are handed on
        bar.advance(4)
        assert at() == 6


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_word_of_a_table_is_broken_on_a_narrow_screen(monkeypatch, capsys, width):
    names = ["on", "kind", "prompts", "score %", "95 % interval", "length-only %", "ahead of length"]
    rows = [["a.jsonl", "pairs", 365, 58.5, "53.8 to 63.2", 58.5, "+0.0 (+0.0 to +0.0)"]] * 2
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    terminal.table("what it is worth", names, rows)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= width
    for word in " ".join([*names, "a.jsonl", "365"]).split():
        assert word in shown, word
    assert shown.count("a.jsonl") == 2
