"""Every layout passes its contract, and says what is wrong with a row that it cannot use."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.data import layouts
from plaudit.data.layouts import _contract
from plaudit.data.layouts._pairs import shared_turns
from plaudit.data.outline import outline
from plaudit.data.read import Row
from plaudit.data.tally import comparisons
from plaudit.errors import DataError
from plaudit.records import Preference, Steps, message

ROOM = "plaudit.data.layouts"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "layouts"
NAMES = catalog.names(ROOM)


def fixture(name):
    lines = (FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def parse(name, row):
    return list(catalog.load(ROOM, name).parse(row, where="f:1"))


def reason(name, row):
    with pytest.raises(DataError) as caught:
        parse(name, row)
    return caught.value.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_keeps_its_contract(name):
    found = _contract.check(name, catalog.load(ROOM, name), fixture(name))
    assert found or name in ("verl", "tokenised")


def test_nemo_rl_binary_is_read_as_trl():
    assert layouts.detect(fixture("nemo_rl_binary")) == "trl"


def test_detection_goes_by_the_majority_of_rows():
    odd = {"prompt": "a", "chosen": "b", "rejected": "c"}
    assert layouts.detect([*fixture("ultrafeedback_scores"), odd]) == "ultrafeedback_scores"
    assert layouts.detect([odd, odd, *fixture("ultrafeedback_scores")[:1]]) == "trl"
    assert layouts.detect([{"x": 1}, odd]) == "trl"
    assert layouts.detect([]) is None


def test_a_more_specific_layout_is_asked_first():
    order = [getattr(part, "SPECIFICITY", 0) for _, part in layouts.by_priority()]
    assert order == sorted(order, reverse=True)


def test_the_implicit_prompt_ends_with_the_last_shared_user_turn():
    said = [message("user", "q"), message("assistant", "a"), message("assistant", "b"), message("user", "c")]
    other = [*said[:2], message("assistant", "B")]
    assert shared_turns(tuple(said), tuple(other), "f:1") == 1  # two assistant turns: the shared one is no prompt
    longer = tuple(said) + (message("assistant", "x"),)
    assert shared_turns(longer, tuple(said) + (message("assistant", "y"),), "f:1") == 4
    assert shared_turns(longer, tuple(said[:2]), "f:1") == 1  # one side may be the beginning of the other
    with pytest.raises(DataError, match="answer different prompts"):
        shared_turns((message("user", "a"),), (message("user", "b"),), "f:1")
    with pytest.raises(DataError, match="identical"):
        shared_turns(longer, longer, "f:1")


GOOD = {"prompt": "q", "chosen": "a", "rejected": "b"}
FAULTS = [
    ("trl", {**GOOD, "rejected": "a"}, "chosen and rejected are identical"),
    ("trl", {**GOOD, "chosen": " \n"}, "chosen is empty"),
    ("trl", {**GOOD, "rejected": ""}, "rejected is empty"),
    ("trl", {**GOOD, "chosen": True}, "chosen is a boolean, not text or messages"),
    ("trl", {"prompt": "q", "chosen": "a"}, "rejected is missing"),
    ("trl", {**GOOD, "target": 1.5}, "target is 1.5, outside 0..1"),
    ("trl", {**GOOD, "weight": -1}, "weight is -1, below 0"),
    ("trl", {**GOOD, "margin": "wide"}, "margin is text, not a number"),
    ("trl", {**GOOD, "chosen": [{"role": "assistant"}]}, "chosen holds a message whose content is null"),
    ("trl", {**GOOD, "ratings": [{"a": 1}]}, "1 ratings for 2 responses"),
    ("text_implicit", {"chosen": "yes", "rejected": "no"}, "chosen and rejected answer different prompts: they share no beginning"),  # noqa: E501
    ("hh", {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"}, "chosen and rejected answer different prompts"),  # noqa: E501
    ("hh", {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a"}, "rejected does not end with an Assistant turn"),  # noqa: E501
    ("pandalm", {**fixture("pandalm")[0], "response1": True}, "response1 is a boolean, not text"),
    ("pandalm", {**fixture("pandalm")[0], "annotator2": 3}, "annotator2 is 3, not 0, 1 or 2"),
    ("alpaca_eval", {**fixture("alpaca_eval")[0], "preference": 2.5}, "preference is 2.5, outside 1..2"),
    ("processbench", {**fixture("processbench")[0], "label": 2}, "label is 2, but there are 2 steps"),
    ("prmbench", {**fixture("prmbench")[0], "error_steps": [4]}, "error_steps names step 4, but there are 3"),
    ("rmb_pairs", {**fixture("rmb_pairs")[0], "text_withheld": True}, "the text is withheld"),
    ("verl", fixture("verl")[0], "a verl row holds a prompt and its ground truth, but no response and no preference"),
    ("responses", {"prompt": "q", "responses": []}, "no response"),
    ("responses", {"prompt": "q", "responses": ["a", " "]}, "response 2 is empty"),
    ("responses", {"prompt": "q", "outputs": ["a", "a"]}, "output 1 and output 2 are identical"),
    ("responses", {"prompt": "q", "completions": ["a", 7]}, "completion 2 is a number, not text or messages"),
    ("responses", {"prompt": "q", "completions": "a"}, "completions is text, not an array"),
    ("responses", {"prompt": None, "responses": ["a"]}, "prompt is missing"),
    ("trl_unpaired", {"prompt": "q", "completion": "a", "label": "good"}, "label is text, not true or false"),
    ("arena", {**fixture("arena")[0], "winner_tie": 1}, "not exactly one of winner_model_a, winner_model_b, winner_tie is set"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "why"), FAULTS, ids=[f"{name}: {why[:40]}" for name, _, why in FAULTS])
def test_a_bad_row_says_why(name, row, why):
    assert reason(name, row) == why


def test_ratings_as_bare_numbers_are_one_a_response_or_of_responses_that_are_not_here():
    """As other tools write them: one number a generation, of which the row may hold two."""
    (two,) = parse("trl", {**GOOD, "ratings": [5, 3]})
    assert two.ratings == ({"rating": 5.0}, {"rating": 3.0})
    (four,) = parse("trl", {**GOOD, "ratings": [5, 3, 4, 1]})
    assert four.ratings == ()


def test_columns_of_ours_are_honoured_and_tags_kept():
    row = {**GOOD, "target": 0.8, "margin": -0.5, "weight": 2, "strength": 3, "annotator": "w", "group": 7, "id": 5}
    (record,) = parse("trl", {**row, "subset": "chat", "source": "forum", "tools": [{"name": "f"}]})
    assert (record.target, record.margin, record.weight, record.strength) == (0.8, -0.5, 2.0, 3.0)
    assert (record.annotator, record.group, record.id) == ("w", "7", "5")
    assert record.tags == {"subset": "chat", "source": "forum", "tools": '[{"name":"f"}]'}
    (ours,) = parse("trl", {**GOOD, "tags": {"domain": "a"}, "source": "old.jsonl:3"})
    assert ours.tags == {"domain": "a"}
    assert ours.source == "f:1"


def test_trl_takes_a_repeated_prompt_off_and_reads_tool_calls():
    talk = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]
    rest = [[{"role": "assistant", "content": text}] for text in "ab"]
    (record,) = parse("trl", {"prompt": talk[:1], "chosen": talk + rest[0], "rejected": talk + rest[1]})
    assert len(record.prompt) == 1
    assert record.responses[0][0].parts == ({"type": "tool_calls", "tool_calls": [{"id": "1"}]},)


def test_hh_forms_give_the_same_record():
    marked = "\n\nHuman: q\n\nAssistant:"
    (plain,) = parse("hh", {"chosen": marked + " a", "rejected": marked + " b"})
    (bare,) = parse("hh", {"chosen": marked.strip() + " a", "rejected": marked.strip() + " b"})
    (beside,) = parse("hh", {"prompt": marked, "chosen": " a", "rejected": " b"})
    assert plain == bare == beside
    assert plain.responses == ((message("assistant", "a"),), (message("assistant", "b"),))


def test_hh_keeps_two_assistant_turns_in_the_response():
    start = "\n\nHuman: q\n\nAssistant: a"
    (record,) = parse("hh", {"chosen": start + "\n\nAssistant: b", "rejected": start + "\n\nAssistant: c"})
    assert [m.text for m in record.prompt] == ["q"]
    assert [m.text for m in record.responses[0]] == ["a", "b"]


SAID = st.lists(st.text(max_size=9).map(lambda text: f"{text}."), min_size=3, max_size=6)


@given(SAID, st.sampled_from(["responses", "completions", "outputs"]), st.booleans(), st.booleans())
def test_samples_are_read_as_they_stand_and_nobody_judged(texts, name, as_messages, prompt_as_messages):
    prompt = [{"role": "user", "content": "Q?"}] if prompt_as_messages else "Q?"
    row = {"prompt": prompt, name: [[{"role": "assistant", "content": t}] for t in texts] if as_messages else texts}
    assert layouts.claim(row) == "responses"
    (record,) = parse("responses", row)
    assert record.ranks is None
    assert record.comparisons() == []
    assert [[m.text for m in response] for response in record.responses] == [[text] for text in texts]
    assert record == replace(parse("responses", {"prompt": "Q?", "outputs": texts})[0], source="f:1")


@pytest.mark.parametrize("judgement", [
    {"ranks": [1, 0]}, {"scores": [0.5, 1.5]}, {"labels": [True, False]}, {"rewards": [1, 2]}, {"chosen": "b"},
])  # fmt: skip
def test_samples_beside_a_judgement_are_not_taken_for_unjudged(judgement):
    row = {"prompt": "Q?", "responses": ["a", "b"]}
    assert layouts.claim(row | judgement) != "responses"
    assert layouts.claim(row | dict.fromkeys(judgement) | {"ratings": [1, 2]}) in ("responses", "canonical")
    assert parse("responses", row | judgement)[0].ranks is None  # where the layout is forced


def test_votes_comparisons_and_strengths():
    votes = parse("pandalm", fixture("pandalm")[0])
    assert [(r.annotator, r.ranks) for r in votes] == [
        ("annotator1", (0, 1)), ("annotator2", (0, 1)), ("annotator3", (0, 0))]  # fmt: skip
    assert len({r.id for r in votes}) == 3
    six = parse("finegrained_qa", fixture("finegrained_qa")[0])
    assert [r.ranks for r in six] == [(0, 1)] * 3 + [(0, 0), (1, 0), (0, 1)]
    assert len({r.group for r in six}) == 1
    assert [(r.ranks, r.strength) for row in fixture("helpsteer3") for r in parse("helpsteer3", row)] == [
        ((0, 1), 2.0), ((1, 0), 3.0), ((0, 0), 0.0)]  # fmt: skip
    assert [r.ranks for row in fixture("helpsteer2_preference") for r in parse("helpsteer2_preference", row)] == [
        (1, 0), (0, 1), (0, 0), (0, 1)]  # fmt: skip
    scored = [r for row in fixture("ultrafeedback_scores") for r in parse("ultrafeedback_scores", row)]
    assert [(r.ranks, r.strength) for r in scored] == [((0, 1), 4.5), ((0, 0), 0.0)]
    assert scored[1].group == "p2"
    assert len(scored[1].prompt) == len(scored[1].responses[0]) == 1
    (soft, tie) = (parse("alpaca_eval", row)[0] for row in fixture("alpaca_eval"))
    assert (soft.ranks, soft.target, tie.ranks, tie.target) == ((0, 1), 0.9375, (0, 0), None)


def test_ratings_lists_and_steps():
    (listed,) = parse("ultrafeedback", fixture("ultrafeedback")[0])
    assert listed.ranks == (1, 0, 2)
    assert listed.ratings[2] == {"helpfulness": 1.0}
    (rated,) = parse("tldr_axes", fixture("tldr_axes")[0])
    assert (rated.prompt, rated.ranks, rated.group) == ((), None, "t3_a")
    assert rated.ratings == ({"overall": 5.0, "coverage": 6.0, "coherence": 5.0},)
    raw = parse("nemo_aligner", fixture("nemo_aligner")[1])[0]
    assert (raw.prompt, raw.responses[0][0].role) == ((), "raw")
    assert parse("rewardbench2", fixture("rewardbench2")[1])[0].ranks == (0, 0, 1)
    assert parse("rmb_lists", fixture("rmb_lists")[0])[0].ranks == (0, 1, 1)
    steps = {name: [parse(name, row)[0].labels for row in fixture(name)] for name in
             ("processbench", "stepverify", "prmbench", "bigbench_mistake", "trl_stepwise")}  # fmt: skip
    assert steps["processbench"] == [(True, False), (True,)]
    assert steps["stepverify"] == [(False, None)]
    assert steps["prmbench"] == [(True, False, False)]
    assert steps["bigbench_mistake"] == [(True, True), (False, None)]
    assert steps["trl_stepwise"] == [(True, True, False), (True, True)]


def test_text_implicit_cuts_between_words():
    (record,) = parse("text_implicit", {"chosen": "Say it: The cat", "rejected": "Say it: The car"})
    assert record.prompt[0].text + record.responses[0][0].text == "Say it: The cat"
    assert record.responses[0][0].text == " cat"
    (longer,) = parse("text_implicit", {"chosen": "one two three", "rejected": "one two"})
    assert [r[0].text for r in longer.responses] == [" two three", " two"]


def test_a_graded_flip_keeps_the_sources_grade():
    part, row = catalog.load(ROOM, "ultrafeedback_scores"), fixture("ultrafeedback_scores")[0]
    (before,) = part.parse(row, where="f:1")
    (after,) = part.parse(part.swap(json.loads(json.dumps(row)), before), where="f:1")
    assert after.ranks == (0, 1)
    assert after.responses == before.responses[::-1]
    assert (after.strength, after.ratings) == (-4.5, before.ratings[::-1])


@pytest.mark.parametrize(("name", "keys"), [
    ("helpsteer3", ["overall_preference"]), ("helpsteer2_preference", ["preference_strength"]),
    ("tldr_comparisons", ["choice"]), ("alpaca_eval", ["preference"]), ("pandalm", ["annotator1"]),
])  # fmt: skip
@pytest.mark.parametrize("spelt", ["{:g}", "{:.4f}"])
def test_numbers_written_as_text_are_flipped_as_text_is_read(name, keys, spelt):
    part = catalog.load(ROOM, name)
    for row in fixture(name):
        if not all(key in row for key in keys):
            continue
        written = row | {key: spelt.format(row[key]) for key in keys}
        for plain, text in zip(parse(name, row), parse(name, written), strict=True):
            assert text == plain
        first = parse(name, written)[0]
        turned = part.swap(json.loads(json.dumps(written)), first)
        assert parse(name, turned) == parse(name, part.swap(json.loads(json.dumps(row)), first))


def test_ranks_begin_with_0_whatever_the_file_counts_from():
    said = [[{"role": "assistant", "content": c}] for c in "abc"]
    row = {"prompt": [{"role": "user", "content": "Q?"}], "responses": said}
    for ranks in ([1, 3, 2], [-3, 0, -1], [0, 3_000_000_000, 7]):
        (record,) = parse("canonical", row | {"ranks": ranks})
        assert record.ranks == (0, 2, 1)
        o = outline([Row("f:1", b"", "canonical", (record,))])
        assert len(comparisons(o)[0]) == 3


def test_records_are_of_two_kinds():
    kinds = {
        type(r)
        for name in NAMES
        if name not in ("verl", "tokenised")
        for row in fixture(name)
        for r in parse(name, row)
    }
    assert kinds == {Preference, Steps}


def test_a_flipped_helpsteer2_pair_of_conversations_keeps_no_strength_for_the_other_side():
    turns = lambda text: [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": text}]  # noqa: E731
    row = {"chosen": turns("Hello."), "rejected": turns("What?"), "preference_strength": 3}
    part = catalog.load("plaudit.data.layouts", "helpsteer2_preference")
    (record,) = part.parse(row, where="a:1")
    swapped = part.swap(dict(row), record)
    (flipped,) = part.parse(swapped, where="a:1")
    assert (record.strength, flipped.strength) == (3, -3)
    assert part.swap(dict(swapped), flipped) == row
