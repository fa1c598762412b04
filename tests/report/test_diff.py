"""The difference of two texts: nothing is lost, what is not marked is in both, and no text makes it slow."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.report.diff import APART, difference

texts = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(["a", "b", "c", "d", "the", "."]), max_size=40).map(" ".join)
)


@given(texts, texts)
def test_pieces_join_to_the_texts_and_what_is_not_marked_is_in_both(chosen, rejected):
    found = difference(chosen, rejected)
    assert "".join(p.text for p in found.chosen) == chosen
    assert "".join(p.text for p in found.rejected) == rejected
    assert found.cut == (0, 0)
    assert 0 <= found.common <= 1
    if found.common >= APART:
        kept = [
            "".join("".join(p.text for p in side if not p.changed).split()) for side in (found.chosen, found.rejected)
        ]
        assert kept[0] == kept[1]


@given(texts)
def test_equal_texts_are_not_marked(text):
    found = difference(text, text)
    assert found.common == 1
    assert not any(p.changed for p in found.chosen + found.rejected)


@given(texts, texts)
def test_neighbouring_pieces_are_of_different_kinds(chosen, rejected):
    for side in (difference(chosen, rejected).chosen, difference(chosen, rejected).rejected):
        assert all(a.changed != b.changed for a, b in pairwise(side))
        assert all(p.text for p in side)


def test_only_the_words_that_differ_are_marked():
    found = difference("One two three four five.", "One two three 4 five!")
    assert [p.text for p in found.chosen if p.changed] == ["four five."]
    assert [p.text for p in found.rejected if p.changed] == [
        "4 five!"
    ]  # a lone common word between changes is no island
    found = difference("我喜欢吃苹果和梨子", "我喜欢吃香蕉和梨子")
    assert [p.text for p in found.chosen if p.changed] == ["苹果"]


def test_long_texts_are_cut_and_counted():
    found = difference("word " * 3000, "word " * 10, words=2000)
    assert len("".join(p.text for p in found.chosen)) + found.cut[0] == 15_000
    many = " ".join(str(i) for i in range(3000))
    found = difference(many, many)
    assert found.cut == (len(many) - len("".join(p.text for p in found.chosen)),) * 2
    assert len("".join(p.text for p in found.chosen).split()) == 2000


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        pytest.param("a b " * 1000, "b a a " * 700, marks=pytest.mark.slow),
        ("ha " * 2000, "ha " * 1999 + "ho"),
        pytest.param("x y z " * 700, "z y x " * 700, marks=pytest.mark.slow),
    ],
    ids=["two", "one", "three"],
)
def test_words_that_repeat_for_ever_do_not_take_for_ever(chosen, rejected):
    start = time.process_time()
    difference(chosen, rejected)
    assert time.process_time() - start < 4
