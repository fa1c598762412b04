"""Near copies: what a slow look at every pair finds, in any order, and prompt groups that folds can hold."""

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.near import SHORT, _grams, _words, bands, clusters, folded, joined_groups
from plaudit.data.read import read
from plaudit.data.split import folds, groups_of
from plaudit.records import Preference, message, pair
from tiers import examples

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

VOCABULARY = [f"w{i}" for i in range(400)]


def text(draw: random.Random, words: int = 60) -> list[str]:
    return [draw.choice(VOCABULARY) for _ in range(words)]


def edited(draw: random.Random, words: list[str], edits: int) -> list[str]:
    out = list(words)
    for at in draw.sample(range(len(words)), edits):
        out[at] = draw.choice(VOCABULARY)
    return out


def library(seed: int, families: int = 40) -> list[str]:
    """Texts with copies that differ by none to eight words: Jaccard indices on both sides of the threshold."""
    draw = random.Random(seed)
    out = []
    for _ in range(families):
        base = text(draw)
        out += [base, *(edited(draw, base, draw.randint(0, 8)) for _ in range(draw.randint(0, 4)))]
    return [" ".join(words) for words in out]


def jaccard(one: str, other: str) -> float:
    grams = [set(zip(*(words[i:] for i in range(3)))) for words in (one.split(), other.split())]
    return len(grams[0] & grams[1]) / max(len(grams[0] | grams[1]), 1)


def slow(texts: list[str], threshold: float) -> set[frozenset[int]]:
    """Clusters by comparing every two texts."""
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        return i if parent[i] == i else root(parent[i])

    for i, j in combinations(range(len(texts)), 2):
        if texts[i] == texts[j] or jaccard(texts[i], texts[j]) >= threshold:
            parent[root(i)] = root(j)
    return together([root(i) for i in range(len(texts))])


def together(labels) -> set[frozenset[int]]:
    return {
        frozenset(np.flatnonzero(np.asarray(labels) == label).tolist()) for label in set(np.asarray(labels).tolist())
    }


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_clusters_are_those_of_a_slow_look_at_every_pair(threshold):
    for seed in range(4):
        texts = library(seed)
        assert together(clusters(texts, threshold=threshold)) == slow(texts, threshold)


def test_order_changes_nothing():
    texts = library(9)
    order = np.random.default_rng(0).permutation(len(texts))
    straight, turned = clusters(texts), clusters([texts[i] for i in order])
    assert together(straight) == {frozenset(order[list(c)].tolist()) for c in together(turned)}


@examples(60)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_text_is_taken_and_equal_ones_are_together(texts):
    texts = [*texts, *texts]
    label = clusters(texts)
    assert len(label) == len(texts)
    for i, j in combinations(range(len(texts)), 2):
        if folded(texts[i]) == folded(texts[j]) and folded(texts[i]):
            assert label[i] == label[j]
        elif min(len(folded(texts[k]).split()) for k in (i, j)) < SHORT:
            assert label[i] != label[j]


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_quick_folding_of_ascii_is_the_plain_one(words):
    assert folded(words) == (" ".join(_words(words.casefold())) or " ".join(words.split()))


def test_scripts_without_spaces_are_compared_by_character():
    post = "今天天气很好我们一起去公园散步然后回家吃晚饭看电影睡觉"
    assert clusters([post + "吧", "完全不同的一句话说的是别的事情", post + "了"]).tolist() == [0, 1, 0]


def test_short_questions_are_copies_only_when_equal():
    texts = [
        "What is 2+2?",
        "what is 2 + 2",
        "What is 2+3?",
        "Name four cities",
        "Name five cities",
        "\ud800",
        "\udfff",
        "!!",
    ]
    assert clusters(texts).tolist() == [0, 0, 2, 3, 4, 5, 6, 7]


def test_bands_find_what_lies_at_the_threshold():
    for threshold in np.linspace(0.3, 0.99, 20):
        count, rows = bands(threshold)
        assert count * rows <= 128
        assert 1 - (1 - threshold**rows) ** count >= 0.999


def test_a_template_does_not_make_questions_alike():
    draw = random.Random(0)
    template = " ".join(text(draw, 140))
    asked = [f"{template} question {' '.join(text(draw, 12))}" for _ in range(60)]
    assert len(set(clusters([*asked, asked[0] + " please"]).tolist())) == 60
    assert len(set(clusters(asked[:10]).tolist())) == 1  # in ten texts nobody can tell a template from a copy


def ask(words: str, id: str = "") -> Preference:
    return pair((message("user", words),), "a", "b", id=id)


def test_groups_are_joined_by_text_and_named_by_the_least_digest():
    draw = random.Random(1)
    base = text(draw)
    texts = [" ".join(words) for words in (base, edited(draw, base, 1), text(draw), base)]
    rows = [ask(words) for words in texts]
    groups = groups_of(rows)
    joined = joined_groups(rows, groups)
    assert joined.dtype == np.uint64
    assert joined[0] == joined[1] == joined[3] == groups[:2].min()
    assert joined[2] == groups[2]
    order = [2, 0, 3, 1]
    assert (joined_groups([rows[i] for i in order], groups[order]) == joined[order]).all()
    assert (joined_groups(rows, groups, by="id") == groups).all()
    assert len(joined_groups([], groups[:0])) == 0


def test_a_group_of_many_prompts_stays_one_and_carries_its_copies_along():
    rows = [ask("Why is the sky so blue today?"), ask("Something else"), ask("why is the sky so blue today"), ask("No")]
    assert joined_groups(rows, np.array([9, 9, 4, 5], np.uint64)).tolist() == [4, 4, 4, 5]


def test_the_first_user_turn_decides_unless_the_whole_prompt_is_asked_for():
    turns = [[message("user", "Hi there"), message("assistant", "Yes?"), message("user", q)] for q in ("Why?", "When?")]
    rows = [pair(tuple(t), "a", "b") for t in turns]
    groups = np.array([1, 2], np.uint64)
    assert joined_groups(rows, groups).tolist() == [1, 1]
    assert joined_groups(rows, groups, by="prompt").tolist() == [1, 2]
    assert joined_groups([pair("", "a", "b"), pair("", "c", "d")], groups).tolist() == [1, 2]


def test_a_crowd_of_templated_prompts_is_not_one_group():
    draw = random.Random(3)
    base = text(draw, 100)
    rows = [ask(" ".join(edited(draw, base, 1))) for _ in range(60)]
    rows += [ask(" ".join(text(draw, 30))) for _ in range(540)]
    joined = joined_groups(rows, groups_of(rows))
    assert np.unique(joined, return_counts=True)[1].max() <= 30


@pytest.mark.parametrize("name", ["hh/helpful-base/train.jsonl.gz", "ultrafeedback_binarized/train.jsonl.gz"])
def test_no_two_near_copies_of_real_prompts_lie_in_two_folds(data, name):
    rows = [r for row in read([data / name]) for r in row.records if isinstance(r, Preference)]
    plain = groups_of(rows)
    joined = joined_groups(rows, plain)
    fold = folds(joined, 5)
    assert np.bincount(fold, minlength=5).min() > 0.7 * len(rows) / 5
    assert 0.95 * len(np.unique(plain)) < len(np.unique(joined)) < len(np.unique(plain))
    keys = [folded(p.prompt[0].text) for p in rows]
    long = [i for i, key in enumerate(keys) if key.count(" ") + 1 >= SHORT][:500]
    sets = {i: frozenset(_grams([keys[i]], np.zeros(0, np.uint64))[0].tolist()) for i in long}
    for i, j in combinations(long, 2):
        if len(sets[i] & sets[j]) >= 0.8 * len(sets[i] | sets[j]):
            assert fold[i] == fold[j], (keys[i], keys[j])
