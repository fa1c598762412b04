"""Which comparisons are the same to a model, and whether its tokenizer or the cut makes them so."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from families import tiny_family
from plaudit.auditing.checking import alike
from plaudit.auditing.material import Docket
from plaudit.data.findings import Equal
from plaudit.data.pairs import targets
from plaudit.models import template
from plaudit.models.tokens import TokenPolicy, encode_all
from plaudit.records import group, message, pair
from tiers import examples


def uncased(max_length=256, chat_template=None):
    """The rules of an encoder that folds case."""
    _, tokenizer = tiny_family("bert")
    template.adopt(tokenizer, encoder=True)
    if chat_template:
        tokenizer.chat_template = chat_template
    return TokenPolicy(tokenizer, max_length, read="first", share=False, pad_id=tokenizer.pad_token_id)


def cased():
    _, tokenizer = tiny_family("llama")
    template.adopt(tokenizer, encoder=False)
    return TokenPolicy(tokenizer, 256, pad_id=tokenizer.pad_token_id)


def found(preferences, *policies):
    place = np.arange(len(preferences))
    case = Docket(list(preferences), place, targets(preferences), place, place.astype(np.uint64))
    return alike(case, [encode_all(preferences, policy) for policy in policies], policies)


UNCASED, CASED = uncased(), cased()
texts = st.sampled_from(["Yes", "yes", "YES", "no", "No", "maybe"])
lists = st.lists(st.tuples(texts, st.integers(0, 3)), min_size=2, max_size=5).map(
    lambda of: group("Q?", [text for text, _ in of], [rank for _, rank in of])
)


@examples(40)
@given(st.lists(lists, max_size=4))
def test_every_comparison_of_equal_tokens_is_found_and_no_other(preferences):
    says = lambda p, i: p.responses[i][0].text  # noqa: E731
    for policy, fold in ((UNCASED, str.lower), (CASED, str)):
        wanted = [
            Equal(place, i, j)
            for place, p in enumerate(preferences)
            for i, j in p.comparisons()
            if fold(says(p, i)) == fold(says(p, j))
        ]
        assert found(preferences, policy) == wanted
    assert sorted(found(preferences, CASED, UNCASED)) == sorted(found(preferences, UNCASED))


def test_a_prompt_that_is_cut_does_not_make_the_cut_guilty():
    long = [message("user", "and so on " * 300), message("assistant", "Well."), message("user", "So?")]
    assert found([pair(long, "Yes", "yes", id="a")], UNCASED) == [Equal(0, 0, 1)]


def test_what_differs_before_the_cut_is_equal_after_it():
    """A template that shortens the answer to a lone turn: with older turns in front both answers are read whole."""
    shortens = "{% for m in messages %}{{ m.content if messages | length > 2 else m.content[:1] }} {% endfor %}"
    policy = uncased(32, shortens)
    long = [message("user", "and so on " * 30), message("assistant", "Well."), message("user", "So?")]
    rows = [pair(long, "ab", "ac", id="cut"), pair(long, "b", "B", id="case"), pair(long, "a", "b", id="fine")]
    assert found(rows, policy) == [Equal(0, 0, 1, cut=True), Equal(1, 0, 1)]
    assert found(rows, replace(policy, max_length=4096)) == [Equal(1, 0, 1)]
    assert sorted(found(rows, policy, UNCASED)) == [Equal(0, 0, 1, cut=True), Equal(1, 0, 1)]
