"""Length and random: numbers of the texts alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plaudit.records import Message, group, pair
from plaudit.rewards.length import scorer as length
from plaudit.rewards.random import scorer as random

texts = st.text(max_size=20)


@given(texts, st.lists(texts, min_size=1, max_size=5), st.randoms())
def test_a_score_is_of_the_text_whatever_its_neighbours(prompt, responses, shuffler):
    order = list(range(len(responses)))
    shuffler.shuffle(order)
    for made in (length(), random(seed=3)):
        straight = made.score_all([group(prompt, responses, None)])[0]
        shuffled = made.score_all([group(prompt, [responses[i] for i in order], None)])[0]
        assert (straight[order] == shuffled).all()
        alone = np.concatenate([made.score_all([group(prompt, [r], None)])[0] for r in responses])
        assert (alone == straight).all()


def test_length_counts_code_points_of_the_final_turn():
    turns = (Message("assistant", ("long beginning",)), Message("user", ("?",)), Message("assistant", ("né😀",)))
    p = group("hi", [turns, ""], None)
    assert length().score_all([p])[0].tolist() == [3, 0]
    assert length().texts(p) == ["né😀", ""]


def test_random_is_uniform_and_has_seeds():
    rows = [pair(f"prompt {i}", "a", "b") for i in range(2000)]
    drawn = np.concatenate(random().score_all(rows))
    assert abs(drawn.mean() - 0.5) < 0.02
    assert abs(np.mean(drawn < 0.25) - 0.25) < 0.02
    assert ((drawn >= 0) & (drawn < 1)).all()
    other = np.concatenate(random(seed=1).score_all(rows))
    assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.06
    assert random().fingerprint != random(seed=1).fingerprint
