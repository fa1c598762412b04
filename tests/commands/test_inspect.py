"""`plaudit inspect` through the real command line: the numbers, the document, the exit status, the rejects file."""

import json

import pytest

from plaudit.cli import run

GOOD = [{"prompt": f"Why {i}?", "chosen": f"Because {i}.", "rejected": f"No {i}"} for i in range(5)]
FIRST = ["path", "layout", "rows", "kept", "rejected", "preferences", "steps", "ties", "duplicates", "contradictions"]


@pytest.fixture
def file(tmp_path):
    target = tmp_path / "a.jsonl"
    swapped = {**GOOD[0], "chosen": GOOD[0]["rejected"], "rejected": GOOD[0]["chosen"]}
    lines = [*map(json.dumps, [*GOOD, GOOD[1], swapped]), '{"prompt": "cut', json.dumps({**GOOD[0], "chosen": 3})]
    target.write_text("\n".join(lines))
    return target


def test_the_document(file, capsys):
    assert run(["inspect", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (one,) = found["files"]
    assert list(one)[:10] == FIRST
    assert [one[k] for k in FIRST] == [str(file), "trl", 9, 7, 2, 7, 0, 0, 1, 1]
    assert one["longer_wins"] == pytest.approx(6 / 7)
    assert [r["where"] for r in found["rejects"]] == [f"{file}:8", f"{file}:9"]
    assert found["rejects"][0]["reason"] == "broken JSON: cut off before its end"


def test_samples_of_a_policy_are_counted_scored_and_no_training_data(tmp_path, capsys):
    file = tmp_path / "samples.jsonl"
    rows = [{"prompt": f"Why {i}?", "responses": ["So.", f"Because {i}.", "No"][: 2 + i % 2]} for i in range(4)]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert run(["inspect", str(file), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["files"]
    assert [one[k] for k in ("layout", "kept", "rejected", "preferences", "comparisons")] == ["responses", 4, 0, 4, 0]
    assert run(["score", "length", str(file), "--output", str(tmp_path / "s.jsonl")]) == 0
    scored = [json.loads(line)["scores"] for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert scored == [[float(len(text)) for text in row["responses"]] for row in rows]
    assert run(["train", str(file), "--model", "tiny", "--output-dir", str(tmp_path / "D"), "--device", "cpu"]) == 2
    assert "nobody judged its responses and it carries no rating to train on" in capsys.readouterr().err
    assert not (tmp_path / "D").exists()


def test_annotators_are_counted(tmp_path, capsys):
    say = lambda role, text: [{"role": role, "content": text}]  # noqa: E731
    rows = [
        {"prompt": say("user", "Tea?"), "responses": [say("assistant", "Yes."), say("assistant", "No.")],
         "ranks": [0, 1], "id": f"r{i}"} | ({"annotator": who} if who else {})
        for i, who in enumerate(("ann", "bob", "ann", None))
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["annotators"] == 2


def test_the_tables_say_it_to_a_person(file, capsys):
    assert run(["inspect", str(file), str(file)]) == 0
    shown = capsys.readouterr().out
    for word in ("What was read", " trl ", "Labels", "Lengths in characters", "Rejected", "broken JSON", "a.jsonl:8"):
        assert word in shown


def test_rejects_and_strict(file, tmp_path, capsys):
    assert run(["inspect", str(file), "--rejects", str(tmp_path / "bad")]) == 0
    assert (tmp_path / "bad").read_bytes().splitlines() == file.read_bytes().splitlines()[7:]
    assert run(["inspect", str(file), "--rejects", str(tmp_path / "bad")]) == 0  # the very same rows
    (tmp_path / "bad").write_text("mine")
    assert run(["inspect", str(file), "--rejects", str(tmp_path / "bad")]) == 2
    assert "bad exists already" in capsys.readouterr().err
    assert (tmp_path / "bad").read_text() == "mine"
    assert run(["inspect", str(file), "--strict"]) == 2
    assert f"{file}:8: broken JSON: cut off before its end" in capsys.readouterr().err


def test_nothing_kept_is_bad_input(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"prompt": "cut\n{\n')
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["files"][0]["rows"], found["files"][0]["rejected"]) == (2, 2)
    assert run(["inspect", str(tmp_path / "nowhere.jsonl")]) == 2
    assert "nowhere.jsonl: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "body"), [("a.json", "[]\n"), ("a.csv", "prompt,chosen,rejected\n")])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_file_without_rows_is_named(name, body, more, file, tmp_path, capsys):
    (tmp_path / name).write_text(body)
    assert run(["inspect", str(tmp_path / name), *more]) == 2
    assert capsys.readouterr().err == f"plaudit: {tmp_path / name}: holds no rows\n"
    assert run(["inspect", str(file), str(tmp_path / name), *more]) == 0
    assert f"{name}: holds no rows" in capsys.readouterr().err


def test_rows_of_another_encoding_are_counted_together(tmp_path, capsys):
    texts = ["caf\xe9", "longer caf\xe9", "na\xefve", "\xfcber"]
    rows = [json.dumps({"prompt": text, "chosen": "b", "rejected": "c"}, ensure_ascii=False) for text in texts]
    (tmp_path / "a.jsonl").write_bytes("\n".join([*rows, json.dumps(GOOD[0])]).encode("latin-1"))
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"][0]["reasons"] == {"not UTF-8": 4}
    assert found["rejects"][0]["reason"] == "not UTF-8: byte 0xe9 at byte 15"


def test_columns_and_layouts(tmp_path, capsys):
    rows = [{"question": g["prompt"], "good": g["chosen"], "bad": g["rejected"]} for g in GOOD]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run(["inspect", str(tmp_path / "a.jsonl")]) == 2
    error = capsys.readouterr().err
    assert "no layout recognises these rows; their keys are question, good, bad" in error
    assert "--columns" in error
    options = ["--columns", "prompt=question,chosen=good,rejected=bad", "--layout", "trl", "--json"]
    assert run(["inspect", str(tmp_path / "a.jsonl"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["kept"] == 5
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--columns", "prompt"]) == 2
    assert "'prompt' is not of the form name=column" in capsys.readouterr().err


def test_what_only_shows_between_files(file, tmp_path, capsys):
    (tmp_path / "b.jsonl").write_text(json.dumps(GOOD[2]))
    assert run(["inspect", str(file), str(tmp_path / "b.jsonl"), "--json"]) == 0
    across = json.loads(capsys.readouterr().out)["across"]
    assert (across["duplicates"], across["contradictions"]) == (1, 0)
    assert across["shared_prompts"][0]["prompts"] == 1
    assert across["shared_prompts"][0]["share"] == 1.0


def test_prompts_of_two_files_are_the_same_whatever_the_files_number_them(tmp_path, capsys):
    numbered = [{**row, "prompt_id": str(i)} for i, row in enumerate(GOOD)]
    others = [{"prompt": f"Who {i}?", "chosen": "I", "rejected": "you", "group": str(i)} for i in range(5)]
    for name, rows in (("a", numbered), ("b", others), ("c", GOOD[:2])):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    assert run(["inspect", *(str(tmp_path / name) for name in "abc"), "--json"]) == 0
    shared = json.loads(capsys.readouterr().out)["across"]["shared_prompts"]
    assert shared == [
        {
            "files": [str(tmp_path / "a"), str(tmp_path / "c")],
            "prompts": 2,
            "share": 1.0,
            "duplicates": 2,
            "contradictions": 0,
        }
    ]


def test_hostile_text_is_shown_and_not_obeyed(tmp_path, capsys):
    row = {**GOOD[0], "chosen": "x", "\x1b[31mkey": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(row).replace('"x"', '"x", "chosen": "\\u001b[2J"'))
    assert run(["inspect", str(tmp_path / "a.jsonl")]) == 2
    assert "\x1b" not in capsys.readouterr().out


def test_lengths_in_tokens(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, GOOD)))
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--model", "tiny", "--json"]) == 0
    tokens = json.loads(capsys.readouterr().out)["files"][0]["tokens"]
    assert (tokens["sequences"], tokens["refused"], tokens["over_max_length"]) == (10, 0, 0)
    assert 4 < tokens["quantiles"][2] < 60
    assert run(["inspect", str(tmp_path / "a.jsonl"), "--model", "tiny"]) == 0
    assert "Lengths in tokens" in capsys.readouterr().out
