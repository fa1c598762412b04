"""A prompt that stands in a column of an unknown name is never left out in silence."""

import json

import pytest

from plaudit.data import layouts
from plaudit.data.columns import proposal, renames
from plaudit.data.read import read
from plaudit.errors import DataError, OptionError

SIDES = {"chosen": "The TL;DR: I sold it.", "rejected": "The TL;DR: I kept it."}


@pytest.mark.parametrize("name", ["post", "query", "user", "text", "whatever"])
def test_a_text_column_beside_two_sides_is_asked_about(tmp_path, name):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({name: "Should I sell my bicycle?", **SIDES}) + "\n")
    with pytest.raises(DataError, match="no layout recognises") as caught:
        list(read(file))
    assert f"--columns prompt={name}," in str(caught.value)
    (row,) = read(file, columns={name: "prompt"})
    assert row.records[0].prompt[0].text == "Should I sell my bicycle?"
    (forced,) = read(file, layout="text_implicit")
    assert forced.records[0].prompt[0].text == "The TL;DR: I"


@pytest.mark.parametrize("more", [
    {}, {"source": "written by hand last year"}, {"query": "The TL;DR: I"}, {"margin": 1.0, "language": "en"},
    {"kind": "open qa"}, {"text": ""}, {"id": "one two three four"},
])  # fmt: skip
def test_metadata_and_repeated_prompts_leave_it_an_implicit_pair(more):
    assert layouts.claim({**SIDES, **more}) == "text_implicit"


def test_a_mapping_written_the_wrong_way_round_is_told():
    with pytest.raises(OptionError, match="did you mean prompt=my_question"):
        renames("my_question=prompt")
    assert renames("my_own=theirs") == {"theirs": "my_own"}


def test_a_proposal_names_no_column_twice():
    assert proposal([{"prompt": "a", "good": "b", "bad": "c"}]) == "chosen=good,rejected=bad"
    assert proposal([{"x": 1}]) == "prompt=...,chosen=...,rejected=..."
    assert proposal([{"prompt": 1, "chosen": "a", "rejected": 2}]) == "prompt=...,rejected=..."
    assert proposal([{"prompt": "1", "chosen": "a", "rejected": "b"}]) == "prompt=...,chosen=...,rejected=..."


def test_a_misspelt_name_is_told_before_the_wrong_way_round_and_a_forgotten_column_beside_those_given(tmp_path):
    with pytest.raises(OptionError, match="did you mean 'prompt'"):
        renames("promt=question,chosen=good,rejected=bad")
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"question": "Why?", "good": "So.", "bad": "No."}) + "\n")
    with pytest.raises(DataError) as caught:
        list(read(file, columns={"question": "prompt", "good": "chosen"}))
    assert "--columns prompt=question,chosen=good,rejected=bad" in str(caught.value)
    assert "their keys are " in str(caught.value).splitlines()[0]
    assert set(str(caught.value).splitlines()[0].split("their keys are ")[1].split(", ")) == {"bad", "good", "question"}
