"""Batches: a fixed number of preferences a step, in an order that is arithmetic, however they are cut."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.pairs import targets
from plaudit.records import group
from plaudit.training.batches import Columns, batches, position, rows_of, steps_per_epoch
from plaudit.training.steps._gradient import _tokens
from tiers import examples


@dataclass(frozen=True)
class Record:
    prompt: np.ndarray
    responses: tuple[np.ndarray, ...]
    cuts: tuple[int, ...]
    read: tuple[int, ...]
    begin: tuple[int, ...] = ()


def made(n, seed=0):
    draw = np.random.default_rng(seed)
    encoded, preferences = [], []
    for i in range(n):
        count = int(draw.choice([2, 2, 2, 3]))
        prompt = draw.integers(3, 99, draw.integers(1, 30)).astype(np.int32)
        answers = tuple(draw.integers(3, 99, draw.integers(1, 12)).astype(np.int32) for _ in range(count))
        encoded.append(Record(prompt, answers, (len(prompt),), tuple(len(prompt) + len(a) - 1 for a in answers)))
        ranks = tuple(range(count)) if i % 5 else (0,) * count
        preferences.append(group(f"q{i}", [f"{i} {j}" for j in range(count)], ranks, weight=1 + i % 3))
    c = targets(preferences)
    ratings = [np.full((len(p.responses), 1), np.nan) for p in preferences]
    own = np.array([p.weight for p in preferences])
    columns = Columns(
        c.preference, c.better, c.worse, c.target, c.margin, c.weight, [p.ranks for p in preferences], ratings, own
    )
    return encoded, columns


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_visits_every_row_once(n, size, seed):
    per = steps_per_epoch(n, size)
    seen = np.concatenate([rows_of(s, n, size, seed) for s in range(per)])
    assert sorted(seen.tolist()) == list(range(n))
    assert position(per, n, size) == (1, 0)


@examples(30)
@given(st.sampled_from([1, 40, 200, 10**6]), st.sampled_from([1, 2, 3]))
def test_cutting_changes_no_column(budget, shares):
    encoded, columns = made(13)
    micro = next(batches(encoded, columns, size=8, budget=budget, seed=1, shares=shares))
    rows = rows_of(0, 13, 8, 1)
    assert sorted(r for b in micro for r in b.rows) == sorted(rows.tolist())
    found = sorted(
        (b.rows[int(b.group[i])], int(b.ranks[i]), int(b.ranks[j]), float(w), float(t))
        for b in micro
        for i, j, w, t in zip(b.better, b.worse, b.weight, b.target, strict=True)
    )
    whole = next(batches(encoded, columns, size=8, budget=10**9, seed=1))
    assert len(whole) == 1
    (b,) = whole
    assert found == sorted(
        (b.rows[int(b.group[i])], int(b.ranks[i]), int(b.ranks[j]), float(w), float(t))
        for i, j, w, t in zip(b.better, b.worse, b.weight, b.target, strict=True)
    )
    assert sum(float(b.weight.sum()) for b in micro) == pytest.approx(
        sum(columns.weight[np.isin(columns.preference, rows)])
    )


def test_a_later_start_gives_the_same_batches():
    encoded, columns = made(11)
    feed = batches(encoded, columns, size=4, budget=60, seed=3)
    straight = [next(feed) for _ in range(7)]
    again = next(batches(encoded, columns, size=4, budget=60, seed=3, start=6))
    assert [b.rows for b in straight[6]] == [b.rows for b in again]
    assert all(np.array_equal(a.tree.tokens, b.tree.tokens) for a, b in zip(straight[6], again, strict=True))


@pytest.mark.parametrize("encoder", [False, True])
def test_tokens_are_counted_to_the_end_of_a_response_wherever_it_is_read(encoder):
    encoded, columns = made(9)
    if encoder:  # nothing is shared, and the first token is read
        encoded = [
            Record(e.prompt[:0], tuple(np.concatenate([e.prompt, r]) for r in e.responses), (), (0,) * len(e.read))
            for e in encoded
        ]
    (whole,) = next(batches(encoded, columns, size=9, budget=10**9, seed=0))
    alone = sum(len(e.prompt) + len(r) for e in encoded for r in e.responses)
    assert _tokens(whole)["num_tokens"] == alone
    assert (_tokens(whole)["tokens"] == alone) == encoder
