"""Accuracy: hand-computed values, and identities that hold for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import DataError, OptionError
from plaudit.metrics.accuracy import list_chance, list_credit, pair_credit

numbers = st.integers(-3, 3).map(float)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30)


@given(pairs, st.sampled_from(["loss", "half", "win"]))
def test_swapping_the_sides_of_every_pair_turns_the_half_score_round(rows, ties):
    a, b = np.array(rows).T
    assert pair_credit(a, b)[0].sum() + pair_credit(b, a)[0].sum() == len(rows)
    loss, half, win = (pair_credit(a, b, ties=t)[0].sum() for t in ("loss", "half", "win"))
    assert loss <= half <= win
    assert win - loss == pair_credit(a, b, ties=ties)[1].sum()


@given(pairs)
def test_a_pair_is_a_list_of_two(rows):
    for a, b in rows:
        for ties in ("loss", "half", "win"):
            assert list_credit([a, b], [0, 1], ties=ties)[0] == pair_credit([a], [b], ties=ties)[0][0]


@given(st.lists(numbers, min_size=2, max_size=6), st.randoms())
def test_a_list_earns_the_same_whatever_the_order_of_its_responses(scores, random):
    ranks = [0] + [1] * (len(scores) - 1)
    order = list(range(len(scores)))
    random.shuffle(order)
    shuffled = list_credit([scores[i] for i in order], [ranks[i] for i in order])
    assert shuffled == list_credit(scores, ranks)


def test_the_winner_must_beat_every_loser():
    assert list_credit([3, 1, 2], [0, 1, 1]) == (1.0, False)
    assert list_credit([2, 1, 2], [0, 1, 1]) == (0.0, True)
    assert list_credit([2, 3, 2], [0, 1, 1]) == (0.0, False)  # one is beaten, so the tie no longer matters
    assert list_credit([2, 2, 2], [0, 1, 1], ties="half") == (1 / 3, True)
    assert list_credit([5, 4, 1], [0, 0, 1]) == (1.0, False)
    assert list_credit([5, 1, 2], [0, 0, 1]) == (0.0, False)


@pytest.mark.parametrize("ranks", [[0, 1], [0, 1, 1], [0, 0, 1, 2], [0, 1, 1, 1, 1, 1, 1]])
def test_chance_is_what_random_scores_earn(ranks):
    draws = np.random.default_rng(0).random((4000, len(ranks)))
    earned = np.mean([list_credit(row, ranks)[0] for row in draws])
    assert abs(earned - list_chance(ranks)) < 4 * (list_chance(ranks) / 4000) ** 0.5


def test_a_constant_scorer_earns_the_chance_under_the_half_rule():
    assert list_credit([1, 1, 1, 1], [0, 1, 1, 1], ties="half")[0] == list_chance([0, 1, 1, 1])


def test_nan_names_its_row():
    with pytest.raises(DataError, match="hh:2: the score is not a number"):
        pair_credit([1, float("nan")], [0, 0], names=["hh:1", "hh:2"])
    with pytest.raises(DataError, match="hh:7"):
        list_credit([1, float("nan")], [0, 1], name="hh:7")


def test_infinities_are_scores():
    assert pair_credit([float("inf"), 0], [0, float("-inf")])[0].tolist() == [1, 1]


def test_bad_calls_are_refused():
    with pytest.raises(OptionError, match="unknown rule"):
        pair_credit([1], [1], ties="third")
    with pytest.raises(DataError, match="none can win"):
        list_credit([1, 2], [0, 0])
    with pytest.raises(DataError, match="2 scores for 3"):
        list_credit([1, 2], [0, 1, 1])
    assert pair_credit([], [])[0].shape == (0,)
