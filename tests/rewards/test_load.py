"""Asking for a scorer: what resolves, and what the errors say."""

import numpy as np
import pytest

import plaudit
from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.records import Message, pair
from plaudit.rewards.stream import CHUNK, chunks, scored


def test_built_in_scorers_score_texts_and_messages():
    handle = plaudit.load("length")
    assert handle.score("2+2?", ["four", "5"]) == [4.0, 1.0]
    assert handle.score([{"role": "user", "content": "2+2?"}], "four") == [4.0]
    assert handle.score("", [[Message("assistant", ("abc",))]]) == [3.0]
    assert handle.score("2+2?", []) == []
    assert plaudit.load("random", seed=1).score("p", ["x"]) != plaudit.load("random").score("p", ["x"])
    assert plaudit.load(handle) is handle


def test_a_text_prompt_is_one_user_turn():
    one = plaudit.load("random").score("2+2?", ["4", "5"])
    assert one == plaudit.load("random").score([{"role": "user", "content": "2+2?"}], ["4", "5"])
    assert one == plaudit.load("random").score_all([pair("2+2?", "4", "5")])[0].tolist()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lenght", r"unknown scorer 'lenght' \(did you mean 'length'\?\)"),
        ("http://localhost:1", "through a server is not supported"),
        ("cached", "unknown scorer 'cached'"),
    ],
)
def test_unknown_scorers(spec, words):
    with pytest.raises(OptionError, match=words):
        plaudit.load(spec)


def test_folders_that_are_no_checkpoint(tmp_path):
    with pytest.raises(PlauditError, match=r"config\.json is missing"):
        plaudit.load(tmp_path)
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "config.json").write_text("{}")
    with pytest.raises(PlauditError, match="did you mean .*final"):
        plaudit.load(tmp_path)
    (tmp_path / "final" / "seal.json").write_text('{"files": {"weights": {"bytes": 3, "digest": ""}}}')
    with pytest.raises(PlauditError, match="is damaged"):
        plaudit.load(tmp_path / "final")
    (tmp_path / "mix.yaml").write_text("")
    with pytest.raises(OptionError, match="composed scorers are not supported"):
        plaudit.load(tmp_path / "mix.yaml")


def test_a_turn_without_text_is_refused():
    with pytest.raises(PlauditError, match="must have a role and a text content"):
        plaudit.load("length").score([{"role": "user"}], ["x"])


class Odd:
    fingerprint = ""

    def __init__(self, answer):
        self.answer = answer

    def score_all(self, preferences):
        return [np.array(self.answer) for _ in preferences]


def test_streams_are_checked_and_keep_their_order():
    rows = [pair(f"p{i}", "a", "b", id=str(i), source=f"f:{i}") for i in range(CHUNK + 3)]
    assert [len(c) for c in chunks(rows)] == [CHUNK, 3]
    assert [p.id for p, _ in scored(plaudit.load("length"), iter(rows))] == [p.id for p in rows]
    with pytest.raises(DataError, match=r"f:0 \(id 0\): the score of response 2 is not a number"):
        list(scored(Odd([1, float("nan")]), rows))
    with pytest.raises(DataError, match="3 scores for 2 responses"):
        list(scored(Odd([1, 2, 3]), rows))
    handle = plaudit.load(Odd([1, 2]))
    assert handle.name == "Odd"
    with pytest.raises(PlauditError, match="cannot say which text"):
        handle.texts(rows[0])
