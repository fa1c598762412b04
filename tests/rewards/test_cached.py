"""The cache: the same numbers, each computed once, whatever happens to the process or the file."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import PlauditError
from plaudit.models.score import load_scorer
from plaudit.records import group, message, pair
from plaudit.rewards.cached import FILE, Cached
from plaudit.rewards.panel import Together
from plaudit.rewards.random import Random


class Counting(Random):
    """Counts the responses it is asked for."""

    def __init__(self, seed=0):
        super().__init__(seed)
        self.asked = 0

    def score_all(self, preferences):
        rows = list(preferences)
        self.asked += sum(len(p.responses) for p in rows)
        return super().score_all(rows)


def same(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_each_response_is_scored_once(tmp_path):
    rows = [group(f"p{i % 7}", [f"a{i}", f"b{i % 3}", "c"], None) for i in range(30)]
    inner = Counting()
    cached = Cached(inner, tmp_path)
    assert same(cached.score_all(rows), Random().score_all(rows))
    first = inner.asked
    assert same(cached.score_all(rows), Random().score_all(rows))
    assert inner.asked == first
    again = Counting()
    reopened = Cached(again, tmp_path)
    assert same(reopened.score_all(rows), Random().score_all(rows))
    assert (again.asked, reopened.hits, reopened.misses) == (0, 90, 0)


def test_only_missing_responses_are_asked_for(tmp_path):
    inner = Counting()
    cached = Cached(inner, tmp_path)
    cached.score_all([pair("p", "a", "b")])
    assert same(cached.score_all([group("p", ["b", "x", "a"], None)]), Random().score_all([group("p", "bxa", None)]))
    assert inner.asked == 3


class Once(Together):
    """Counts how often its members are asked."""

    asked = 0

    def votes_all(self, preferences):
        self.asked += 1
        return super().votes_all(preferences)


@given(st.permutations(range(3)), st.integers(1, 3))
def test_members_of_a_committee_speak_for_themselves_and_it_is_asked_once(order, count):
    rows = [group(f"p{i}", [f"a{i}", "b", "c" * i], None) for i in range(4)]
    seats = [Random(seed) for seed in range(3)]
    inner, voices = Once(list(seats), [1.0, 2.0, 3.0]), list(order)[:count]
    names, scales, centers = [f"m{k}" for k in voices], [0.5 + k for k in voices], [float(k) for k in voices]
    of = Together([*([inner] * count), Random(9)], [*scales, 2.0], [*names, "r"], "mean", [*centers, 1.0],
                  [*voices, None])  # fmt: skip
    apart = Together([*(seats[k] for k in voices), Random(9)],
                     [*((k + 1) * s for k, s in zip(voices, scales)), 2.0], [*names, "r"], "mean",
                     [*((k + 1) * c for k, c in zip(voices, centers)), 1.0])  # fmt: skip
    for mine, theirs in zip(of.votes_all(rows), apart.votes_all(rows), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    assert inner.asked == 1
    assert of.names == (*names, "r")
    assert len({of.fingerprint, apart.fingerprint, inner.fingerprint}) == 3


@pytest.mark.parametrize("panel", [False, True])
def test_a_prompt_that_has_to_be_cut_is_kept_with_the_responses_it_was_cut_for(tmp_path, panel):
    """Beside a long response a prompt loses its oldest turns, and the short one is scored without them."""
    model = load_scorer("tiny", max_length=140)
    scorer = Together([model, Random()], [1.0, 1.0]) if panel else model
    turns = [message("assistant" if i % 2 else "user", f"turn {i} red") for i in range(9)]
    cut, fits = group(turns, ["tree " * 20, "yes"], None), group(turns, ["yes", "no"], None)
    cached = Cached(scorer, tmp_path)
    first = cached.score_all([cut])
    again = cached.score_all([fits, cut])
    assert same(first, scorer.score_all([cut]))
    assert np.allclose(again[0], scorer.score_all([fits])[0], rtol=1e-5, atol=1e-6)
    assert abs(again[0][0] - first[0][1]) > 1e-4
    assert same(again[1:], first)
    assert (cached.hits, cached.misses) == (2, 4)


def test_another_fingerprint_prompt_or_boundary_is_another_key(tmp_path):
    Cached(Counting(), tmp_path).score_all([pair("p", "a", "b")])
    for scorer, row in [(Counting(1), pair("p", "a", "b")), (Counting(), pair("pa", "", "b"))]:
        Cached(scorer, tmp_path).score_all([row])
        assert scorer.asked == 2


def test_a_scorer_without_a_fingerprint_is_never_cached(tmp_path):
    inner = Counting()
    inner.fingerprint = ""
    cached = Cached(inner, tmp_path)
    for _ in range(2):
        cached.score_all([pair("p", "a", "b")])
    assert inner.asked == 4
    assert not (tmp_path / FILE).exists()


def test_nan_is_not_kept(tmp_path):
    inner = Counting()
    inner._score = lambda p: np.array([np.nan, 1.0])
    Cached(inner, tmp_path).score_all([pair("p", "a", "b")])
    fresh = Counting()
    Cached(fresh, tmp_path).score_all([pair("p", "a", "b")])
    assert fresh.asked == 1


def test_a_killed_process_leaves_a_whole_cache(tmp_path):
    code = (
        "import os, sys\nfrom plaudit.records import pair\nfrom plaudit.rewards.cached import Cached\n"
        "from plaudit.rewards.random import Random\n"
        "c = Cached(Random(), sys.argv[1])\nc.score_all([pair('p', 'a', 'b')])\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == -9
    inner = Counting()
    assert same(Cached(inner, tmp_path).score_all([pair("p", "a", "b")]), Random().score_all([pair("p", "a", "b")]))
    assert inner.asked == 0


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(PlauditError, match=r"scores\.sqlite: the score cache cannot be used"):
        Cached(Random(), tmp_path)
