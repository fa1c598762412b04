"""Prompts of a benchmark in whatever shape it comes; what holds none is counted or refused."""

import gzip
import json

import pytest

from plaudit.data.prompts import prompts
from plaudit.errors import DataError


def texts(found):
    return [p.prompt[0].text for p in found.preferences]


def test_every_shape_gives_its_prompts(tmp_path):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    files = {
        "bare.jsonl": '{"prompt": "2+2?"}\n{"prompt": ' + json.dumps(turns) + "}\n",
        "asked.json": json.dumps([{"question": "Why?", "answer": "So"}]),
        "table.csv": "prompt,reference\nWho?,me\n",
        "pairs.jsonl": '{"prompt": "How?", "chosen": "a", "rejected": "b"}\n',
        "steps.jsonl": '{"prompt": "3+3?", "steps": ["6"], "labels": [true]}\n',
        "plain.txt": "One line\n\n  another line \r\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, newline="")
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress("Günther?\n".encode()))
    expected = {
        "bare.jsonl": ["2+2?", "Hi"], "asked.json": ["Why?"], "table.csv": ["Who?"], "pairs.jsonl": ["How?"],
        "steps.jsonl": ["3+3?"], "plain.txt": ["One line", "another line"], "packed.txt.gz": ["Günther?"],
    }  # fmt: skip
    for name, want in expected.items():
        found = prompts([str(tmp_path / name)])
        assert (texts(found), found.left) == (want, []), name
    assert prompts([str(tmp_path / "pairs.jsonl")]).preferences[0].responses  # responses overlap, too
    assert prompts([str(tmp_path / "plain.txt")]).preferences[1].source.endswith("plain.txt:3")


def test_rows_without_a_prompt_are_counted_with_their_reason(tmp_path):
    file = tmp_path / "mixed.jsonl"
    rows = ['{"prompt": "a?", "chosen": "x", "rejected": "y"}', '{"prompt": "b?"}', '{"chosen": "x"}', "{broken"]
    file.write_text("\n".join(rows) + "\n")
    found = prompts([str(file)])
    assert texts(found) == ["a?", "b?"]  # what the layout refuses may still name its prompt
    assert [where.rsplit(":", 1)[1] for where, _ in found.left] == ["3", "4"]


@pytest.mark.parametrize("text", ['{"some": "thing"}\n', "{broken\n", "\n \n"])
def test_a_file_without_any_prompt_is_refused(tmp_path, text):
    file = tmp_path / "odd.jsonl"
    file.write_text(text)
    with pytest.raises(DataError):
        prompts([str(file)])
    with pytest.raises(DataError, match="no such file"):
        prompts([str(tmp_path / "missing.txt")])
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="UTF-8"):
        prompts([str(tmp_path / "latin.txt")])
