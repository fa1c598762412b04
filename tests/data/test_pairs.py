"""Comparisons: what the pair losses see of a label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.pairs import targets
from plaudit.records import group, pair

groups = st.builds(
    lambda ranks, weight: group("q", [f"r{i}" for i in range(len(ranks))], ranks, weight=weight),
    st.lists(st.integers(0, 3), min_size=1, max_size=6), st.floats(0.1, 5),
)  # fmt: skip


@given(st.lists(groups, max_size=8))
def test_a_preference_keeps_its_weight_over_all_its_comparisons(preferences):
    c = targets(preferences)
    for i, p in enumerate(preferences):
        mine = c.preference == i
        assert mine.sum() == len(p.comparisons())
        if mine.any():
            assert c.weight[mine].sum() == pytest.approx(p.weight)
        for better, worse, target in zip(c.better[mine], c.worse[mine], c.target[mine]):
            assert target == (0.5 if p.is_tie else 1.0)
            assert p.ranks[better] <= p.ranks[worse]


def test_remedies_are_columns_and_can_be_left_out():
    p = [pair("q", "a", "b", target=0.2, margin=1.5, weight=3.0), pair("q", "a", "b")]
    c = targets(p)
    assert (c.target.tolist(), c.margin.tolist(), c.weight.tolist()) == ([0.2, 1.0], [1.5, 0.0], [3.0, 1.0])
    assert c.carried == 1
    plain = targets(p, ignore_columns=True)
    assert (plain.target.tolist(), plain.margin.tolist(), plain.weight.tolist()) == ([1, 1], [0, 0], [1, 1])


def test_nothing_gives_empty_columns_of_the_right_kind():
    c = targets([group("q", ("a", "b"), None), group("q", ("a",), (0,))])
    assert len(c) == 0
    assert (c.better.dtype, c.target.dtype) == (np.int64, np.float64)


def test_a_target_of_one_half_that_somebody_chose_stays():
    assert targets([group("q", ("a", "b"), (0, 0), target=0.7)]).target.tolist() == [0.7]
