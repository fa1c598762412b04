"""Groups, held-out and folds: pure functions of a group's digest and the seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.split import folds, group_digest, group_text, groups_of, held_out, mix
from plaudit.records import Message, message, pair
from tiers import examples

digests = st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=300).map(lambda v: np.array(v, np.uint64))


def test_what_a_group_is():
    talk = (message("system", "Be kind."), message("user", " Hi\n there "), message("assistant", "Yes?"))
    p = pair(talk, "a", "b", id="7")
    assert group_text(p) == "Hi there"
    assert group_text(p, "prompt") == "Be kind. Hi there Yes?"
    assert group_text(p, "id") == "7"
    named = pair(talk, "a", "b", id="7", group="post 3")
    assert [group_text(named, by) for by in ("auto", "group", "first_user_turn")] == ["post 3", "post 3", "Hi there"]
    assert group_text(pair((message("raw", "<s> Hi"),), "a", "b")) == "<s> Hi"


def test_without_words_in_the_prompt_only_copies_share_a_group():
    for turns in ((), (message("user", ""),), (message("system", "Be kind."), message("user", " \n"))):
        rows = [pair(turns, *sides, id=sides[0]) for sides in (("a", "b"), ("b", "a"), ("a", "c"))]
        one, turned, other = map(group_text, rows)
        assert one == turned != other
    shown = [(Message("user", ({"type": "image", "image": name},)),) for name in ("cat.png", "dog.png", "cat.png")]
    one, other, again = (group_text(pair(turns, "a", "b", id=str(i))) for i, turns in enumerate(shown))
    assert one == again != other


def test_the_digest_is_the_same_everywhere():
    assert group_digest(pair("Why?", "a", "b")) == 0x37B2F43DEB1C8AD4


@given(digests, st.integers(0, 5))
def test_a_group_is_held_out_whole_and_never_all_are(groups, seed):
    mask = held_out(groups, fraction=0.3, seed=seed)
    kinds = len(np.unique(groups))
    assert not np.isin(groups[mask], groups[~mask]).any()
    assert (0 < len(np.unique(groups[mask])) < kinds) if kinds > 1 else not mask.any()


@given(digests, digests, st.integers(0, 5))
def test_rows_that_are_added_move_no_row_between_folds(groups, more, seed):
    together = folds(np.concatenate([more, groups]), 5, seed)
    assert (together[len(more) :] == folds(groups, 5, seed)).all()


@examples(30)
@given(st.integers(0, 1000))
def test_rows_that_are_added_move_no_row_into_or_out_of_the_held_out_part(seed):
    groups = mix(np.arange(500, dtype=np.uint64))
    more = mix(np.arange(500, 900, dtype=np.uint64))
    assert (held_out(np.concatenate([groups, more]), seed=seed)[:500] == held_out(groups, seed=seed)).all()


def test_the_held_out_share_and_its_bound():
    groups = mix(np.arange(20_000, dtype=np.uint64))
    assert held_out(groups, at_most=10**6).mean() == pytest.approx(0.1, abs=0.01)
    assert held_out(groups).sum() == 1000
    assert not held_out(groups, fraction=0).any()
    few = held_out(groups, at_most=50)
    assert (held_out(groups)[few]).all()  # a smaller bound keeps a part of the same groups


def test_folds_are_even_and_need_two():
    assert np.bincount(folds(mix(np.arange(10_000, dtype=np.uint64)), 4)).min() > 2300
    with pytest.raises(ValueError, match="two or more"):
        folds(np.zeros(1, np.uint64), 1)


def test_preferences_give_their_groups():
    found = groups_of([pair("a", "x", "y"), pair(" a ", "x", "z"), pair("b", "x", "y")])
    assert found[0] == found[1] != found[2]
    assert held_out([pair(str(i), "x", "y") for i in range(50)]).sum() > 0
