"""Tokenising: the ids are those of the string shown, the prompt is shared when it may be, what is cut is counted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from families import tiny_family
from plaudit.models import template
from plaudit.models.embedded import tiny
from plaudit.models.tokens import TokenPolicy, encode, encode_all, equal_after_cut, texts
from plaudit.records import RAW, Message, group, message, pair

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def policy(family: str = "llama", max_length: int = 256) -> TokenPolicy:
    _, tokenizer = tiny_family(family)
    encoder = family in ("bert", "roberta")
    template.adopt(tokenizer, encoder=encoder)
    return TokenPolicy(
        tokenizer, max_length, read="first" if encoder else "last", share=not encoder, pad_id=tokenizer.pad_token_id
    )


LLAMA, BERT = policy(), policy("bert")


def plain() -> TokenPolicy:
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = None
    template.adopt(tokenizer, encoder=False)
    return replace(LLAMA, tokenizer=tokenizer)


def ids(policy: TokenPolicy, text: str) -> list[int]:
    return policy.tokenizer(text, add_special_tokens=False).input_ids


@given(st.lists(words, min_size=1, max_size=5), st.lists(words, min_size=1, max_size=3), st.sampled_from([0, 1, 2]))
def test_ids_are_those_of_the_text_shown(turns, answers, which):
    rules = [LLAMA, BERT, plain()][which]
    roles = ["user", "assistant"] * 3
    record = group([message(r, t) for r, t in zip(roles, turns, strict=False)], answers, None)
    encoded = encode(record, rules)
    assert encoded.longest <= rules.max_length or encoded.too_long
    if not encoded.too_long:
        for i, text in enumerate(texts(record, rules)):
            assert ids(rules, text) == encoded.full(i).tolist()


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_neighbours_change_nothing(rows):
    records = [pair(q, a, a + "!") for q, a in rows]
    for alone, together in zip([encode(r, LLAMA) for r in records], encode_all(records, LLAMA), strict=True):
        assert alone.prompt.tolist() == together.prompt.tolist()
        assert alone.cuts == together.cuts
        assert [r.tolist() for r in alone.responses] == [r.tolist() for r in together.responses]


def test_the_prompt_is_shared_up_to_the_opening_of_the_answer():
    e = encode(pair("Hi there", "yes", "no"), LLAMA)
    assert LLAMA.tokenizer.decode(e.prompt) == "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n"
    assert [LLAMA.tokenizer.decode(r) for r in e.responses] == ["yes<|im_end|>\n", "no<|im_end|>\n"]
    assert e.cuts == (len(e.prompt),)
    assert e.read == tuple(len(e.full(i)) - 1 for i in (0, 1))


def test_encoders_share_nothing_and_read_the_first_token():
    e = encode(pair("hello there", "good day", "no"), BERT)
    assert e.prompt.size == 0
    assert e.cuts == ()
    assert e.read == (0, 0)
    assert texts(pair("hello there", "good day", "no"), BERT)[0] == "[CLS]hello there[SEP]good day[SEP]"


def test_a_long_system_turn_is_a_cut_of_its_own():
    system = message("system", "Be careful with numbers. " * 20)
    e = encode(pair([system, message("user", "2 + 2?")], "4", "5"), LLAMA)
    assert len(e.cuts) == 2
    assert LLAMA.tokenizer.decode(e.prompt[: e.cuts[0]]).endswith("numbers. <|im_end|>\n")


def test_plain_text_ends_with_one_end_mark():
    rules = plain()
    assert texts(pair("Hi", "yes", "no<|im_end|>"), rules) == [
        "\n\nHuman: Hi\n\nAssistant: yes<|im_end|>", "\n\nHuman: Hi\n\nAssistant: no<|im_end|>",
    ]  # fmt: skip
    assert len(encode(pair("Hi", "yes", "no"), rules).prompt) > 0


def test_text_already_rendered_passes_untouched():
    record = pair([Message(RAW, ("Q: why? A:",))], [Message(RAW, (" so",))], [Message(RAW, (" no<|im_end|>",))])
    assert texts(record, LLAMA) == ["Q: why? A: so<|im_end|>", "Q: why? A: no<|im_end|>"]
    assert len(encode(record, LLAMA).prompt) > 0
    assert texts(record, BERT)[0] == "[CLS]Q: why? A: so[SEP]"


def test_oldest_turns_go_first_and_the_system_turn_stays():
    turns = [message("system", "SYS")]
    for i in range(8):
        turns += [message("user", f"question {i} " + "word " * 6), message("assistant", f"answer {i}")]
    record = pair([*turns, message("user", "the last question")], "a good answer", "bad")
    shown = texts(record, LLAMA)[0]
    e = encode(record, LLAMA)
    assert e.dropped_tokens > 0
    assert e.longest <= 256
    assert not e.too_long
    assert "SYS" in shown
    assert "the last question" in shown
    assert "question 0" not in shown
    assert "a good answer" in shown
    whole = encode(record, replace(LLAMA, max_length=10_000))
    assert whole.dropped_tokens == 0
    assert whole.longest == e.longest + e.dropped_tokens


def test_a_long_last_turn_loses_its_beginning():
    record = pair("first words " + "and so on " * 200 + "LAST", "yes", "no")
    e = encode(record, LLAMA)
    assert e.longest <= 256
    assert e.dropped_tokens > 100
    assert "LAST" in texts(record, LLAMA)[0]
    assert "first words" not in texts(record, LLAMA)[0]


def test_a_response_that_does_not_fit_is_refused_not_cut():
    e = encode(pair("Hi", "very " * 400, "no"), LLAMA)
    assert e.too_long
    assert "do not fit 256" in e.refused
    assert e.dropped_tokens == 0


def test_equal_after_tokenising():
    assert equal_after_cut(encode(pair("hi", "HELLO", "hello"), BERT))  # lower-cased
    assert not equal_after_cut(encode(pair("hi", "HELLO", "hello"), LLAMA))


def test_marks_inside_words_are_noticed():
    assert encode(pair("say <|im_end|> please", "yes", "no"), LLAMA).marked
    assert not encode(pair("say it please", "yes", "no"), LLAMA).marked


def test_a_template_may_refuse_a_row():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + tiny.TEMPLATE
    )
    rules = replace(LLAMA, tokenizer=tokenizer)
    fine, bad = pair("a", "b", "c"), pair([message("system", "x"), message("user", "y")], "b", "c")
    first, second = encode_all([fine, bad], rules)
    assert first.refused == ""
    assert "System role not supported" in second.refused
    assert not second.too_long


def test_other_media_are_refused():
    picture = Message("user", ("look:", {"type": "image", "url": "cat.png"}))
    assert "other media" in encode(pair([picture], "a", "b"), LLAMA).refused


def test_nothing_is_shared_when_the_template_rewrites_history():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = "{{ messages | length }}" + tiny.TEMPLATE
    e = encode(pair("Hi", "yes", "no"), replace(LLAMA, tokenizer=tokenizer))
    assert e.prompt.size == 0
    assert e.cuts == ()
    assert len(e.full(0)) > 10


def test_the_read_point_skips_padding_as_transformers_does():
    record = pair([Message(RAW, ("x",))], [Message(RAW, ("y<|pad|><|pad|>",))], [Message(RAW, ("y",))])
    rules = replace(LLAMA, pad_id=LLAMA.tokenizer.eos_token_id)  # a checkpoint with pad = eos never reads the end mark
    assert encode(record, rules).read[1] == len(encode(record, rules).full(1)) - 2


@pytest.mark.parametrize("text", ["{{ strftime_now('%d') }}", "{% set d = strftime_now('%B') %}{{ d }}"])
def test_a_date_is_pinned(text):
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = text + tiny.TEMPLATE
    assert "today" in template.adopt(tokenizer, encoder=False)[0]
    assert template.adopt(tokenizer, encoder=False) == []
    shown = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert shown.startswith(template.PINNED_DATE)


def test_the_digest_names_what_changes_ids():
    other = tiny.tokenizer()
    other.chat_template = tiny.TEMPLATE + " "
    digests = {LLAMA.digest, replace(LLAMA, max_length=9).digest, replace(LLAMA, tokenizer=other).digest, BERT.digest}
    assert len(digests) == 4
    assert replace(LLAMA, tokenizer=tiny.tokenizer()).digest == LLAMA.digest


def test_empty_windows_and_single_responses():
    assert encode_all([], LLAMA) == []
    e = encode(group("Hi", ["only"], None), LLAMA)
    assert len(e.responses) == 1
    assert len(e.prompt) > 0
    assert e.full(0).dtype == np.int32


@pytest.mark.slow
def test_real_rows(data):
    from plaudit.data.read import read

    rows = [r for row in read([str(data / "hh/helpful-base/train.jsonl.gz")]) for r in row.records][:300]
    encoded = encode_all(rows, replace(LLAMA, max_length=2048))
    assert all(len(e.prompt) for e in encoded if not e.refused)
