"""Records, errors, seeds and the catalogue."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog, errors, seeds
from plaudit.records import Message, digest, group, message, pair


def test_errors_survive_pickling():
    for error in (
        errors.PlauditError("a", advice="b"),
        errors.DataError("f:1", "bad", advice="mend"),
        errors.OptionError(["x", "y"]),
        errors.GateError("short"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_tell_boundaries(a, b):
    assert (digest(*a) == digest(*b)) == (a == b)


def test_lone_surrogates_have_a_digest():
    assert digest("\ud800") != digest("?")


def test_ids_follow_texts_and_annotator_but_not_ranks():
    p = pair("q", "a", "b")
    assert p.id == group("q", ("a", "b"), (1, 0)).id == group("q", ("a", "b"), None).id
    assert p.id != pair("q", "a", "b", annotator="w1").id
    assert p.id != pair("q", "b", "a").id
    assert p.content == pair("q", "a", "b", annotator="w1").content


def test_a_turn_boundary_is_part_of_the_content():
    one = pair((message("user", "a"), message("assistant", "b")), "c", "d")
    other = pair((message("user", "ab"),), "c", "d")
    assert one.content != other.content
    assert Message("user", ("a", {"type": "text", "text": "b"})).text == "ab"


def test_comparisons():
    assert pair("q", "a", "b").comparisons() == [(0, 1)]
    assert group("q", ("a", "b"), (1, 0)).comparisons() == [(1, 0)]
    assert group("q", ("a", "b"), (0, 0)).comparisons() == [(0, 1)]
    assert group("q", ("a", "b"), (0, 0)).is_tie
    assert group("q", "abc", (0, 1, 1)).comparisons() == [(0, 1), (0, 2)]
    assert group("q", "abc", None).comparisons() == []
    assert not group("q", "a", (0,)).is_tie


@given(st.integers(1, 50), st.integers(0, 9), st.integers(0, 9))
def test_order_is_a_permutation_and_a_pure_function(n, seed, epoch):
    o = seeds.order(n, seed, epoch)
    assert sorted(o.tolist()) == list(range(n))
    assert np.array_equal(o, seeds.order(n, seed, epoch))


def test_streams_are_unrelated():
    draws = {seeds.seed_for(s, p, i) for s in range(5) for p in ("a", "b") for i in range(5)}
    assert len(draws) == 50


def test_the_catalogue_names_the_nearest():
    with pytest.raises(errors.OptionError, match="unknown loss 'bradley_tery' .did you mean 'bradley_terry'"):
        catalog.load("plaudit.losses", "bradley_tery")
    assert catalog.load("plaudit.losses", "bradley-terry").__doc__.startswith(
        catalog.summary("plaudit.losses", "bradley_terry")
    )
