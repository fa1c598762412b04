"""Plans of token trees: every token of every record is there, once; nothing of a neighbour is."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.models.trees.plan import SMALLEST, cost, plan


@dataclass(frozen=True)
class Record:
    prompt: np.ndarray
    responses: tuple[np.ndarray, ...]
    cuts: tuple[int, ...]
    read: tuple[int, ...]
    begin: tuple[int, ...] = ()


def record(prompt, *responses, cuts=None):
    ids = [np.array(x, np.int32) for x in (prompt, *responses)]
    cuts = (len(prompt),) if cuts is None and len(prompt) else tuple(cuts or ())
    return Record(ids[0], tuple(ids[1:]), cuts, tuple(len(prompt) + len(r) - 1 for r in responses))


def sequence(tree, read):
    """The ids a read point sees, root first."""
    leaf = int(tree.node[read])
    parts = [tree.tokens[slice(*tree.spans[p])] for p in tree.paths[leaf]]
    return np.concatenate([*parts, tree.tokens[tree.spans[leaf][0] : read + 1]])


ids = st.lists(st.integers(3, 6), min_size=1, max_size=6)  # few ids, so that prefixes meet


@st.composite
def records(draw):
    prompt = draw(st.one_of(st.just([]), ids))
    cuts = None
    if len(prompt) > 2:
        cuts = (draw(st.integers(1, len(prompt) - 1)), len(prompt))
    return record(prompt, *draw(st.lists(ids, min_size=1, max_size=4)), cuts=cuts)


@given(st.lists(records(), min_size=1, max_size=12), st.sampled_from([1, 16, 40, 4096]))
def test_every_read_point_sees_its_own_sequence(group, budget):
    seen = set()
    for tree in plan(group, budget=budget):
        assert len(tree.tokens) == len(tree.position) == len(tree.node) >= SMALLEST
        for read, first, owner, which in zip(tree.reads, tree.first, tree.owner, tree.which, strict=True):
            one = group[owner]
            whole = np.concatenate([one.prompt, one.responses[which]])
            assert sequence(tree, read).tolist() == whole.tolist()
            assert tree.position[read] == len(whole) - 1
            assert tree.position[first] == len(one.prompt)
            seen.add((int(owner), int(which)))
    assert seen == {(i, j) for i, one in enumerate(group) for j in range(len(one.responses))}


@given(st.lists(records(), min_size=1, max_size=12))
def test_sharing_never_adds_tokens(group):
    tokens = sum(len(t.tokens) - t.padding for t in plan(group, budget=10**9))
    assert tokens <= sum(map(cost, group))


def test_equal_prompts_and_longer_conversations_are_stored_once():
    first = record([1, 2, 3, 4], [5, 6], [7], cuts=(2, 4))
    longer = record([1, 2, 3, 4, 5, 6, 8], [9], cuts=(2, 7))
    (tree,) = plan([longer, first, first], budget=4096)
    assert len(tree.tokens) - tree.padding == 4 + 2 + 1 + 1 + 1


def test_a_budget_keeps_records_whole():
    group = [record(range(3 + 10 * i, 9 + 10 * i), [1, 2], [2, 1]) for i in range(7)]
    trees = plan(group, budget=25)
    assert [t.records for t in trees] == [[0, 1], [2, 3], [4, 5], [6]]


@pytest.mark.parametrize("n", [1, 3])
def test_small_rows_are_filled_up(n):
    (tree,) = plan([record([], list(range(3, 3 + n)))], budget=8)
    assert tree.padding == SMALLEST - n
    assert tree.parent[-1] == -1
    assert not np.isin(tree.reads, np.arange(n, SMALLEST)).any()
