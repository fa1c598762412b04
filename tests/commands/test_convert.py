"""`plaudit convert` through the command line: counts, lost fields, files, exit status."""

import json

import pytest

from plaudit.cli import run

ROWS = [
    {"prompt": "2+2?", "chosen": "4", "rejected": "5", "margin": 0.5, "annotator": "w"},
    {"prompt": "2+2?", "chosen": "4", "rejected": "4"},
    {"prompt": "3+3?", "chosen": "6", "rejected": "7"},
]


@pytest.fixture
def pairs(tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


def convert(capsys, *args):
    status = run(["convert", *map(str, args)])
    out = capsys.readouterr()
    return status, out.out, out.err


def test_counts_add_up_and_lost_fields_are_named(pairs, tmp_path, capsys):
    target = tmp_path / "out.jsonl"
    status, out, _ = convert(capsys, pairs, "--to", "openrlhf", "--output", target, "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["rows"], found["kept"], found["rejected"], found["written"], found["skipped"]) == (3, 2, 1, 2, 0)
    assert found["rejected_reasons"] == {"chosen and rejected are identical": 1}
    assert (found["lost"], found["unread"], found["late"]) == ({}, {}, [])
    assert found["files"] == [str(target)]
    assert [sorted(json.loads(line)) for line in target.read_text().splitlines()] == [
        ["annotator", "chosen", "id", "margin", "rejected", "source", "tags"],
        ["chosen", "id", "margin", "rejected", "source", "tags"]]  # fmt: skip


def test_the_screen_says_what_was_lost_and_how_to_use_the_file(pairs, tmp_path, capsys):
    target = tmp_path / "out.json"
    status, out, err = convert(capsys, pairs, "--to", "LLaMA-Factory", "--output", target)
    assert status == 0
    assert "chosen and rejected are identical" in out
    assert "the tool that reads llama_factory files does not look at: margin (1 rows)" in err
    assert "dataset_info.json" in err


def test_where_nothing_is_kept_no_file_is_left_that_stops_the_next_try(tmp_path, capsys):
    bad, target = tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    bad.write_text('{"prompt": "2+2?", "chosen": "4", "rejected": "4"}\n')
    status, _, err = convert(capsys, bad, "--to", "trl", "--output", target)
    assert status == 2
    assert "nothing could be written" in err
    assert not target.exists()
    status, _, err = convert(capsys, bad, "--to", "trl", "--output", target, "--rejects", tmp_path / "." / "out.jsonl")
    assert status == 2
    assert "name the same file" in err
    assert not target.exists()


def test_rejects_and_columns(pairs, tmp_path, capsys):
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"q": "2+2?", "good": "4", "bad": "5"}\n{"q": "2+2?"}\n')
    target, rejects = tmp_path / "out.parquet", tmp_path / "rejects.jsonl"
    names = ("--columns", "prompt=q,chosen=good,rejected=bad")
    status, out, _ = convert(
        capsys, odd, *names, "--to", "canonical", "--output", target, "--rejects", rejects, "--json"
    )
    assert status == 0
    assert json.loads(out)["written"] == 1
    assert rejects.read_text() == '{"q": "2+2?"}\n'


def test_there_and_back_is_the_same_file(pairs, tmp_path, capsys):
    for source, target in ((pairs, "a.parquet"), (tmp_path / "a.parquet", "b.jsonl"), (tmp_path / "b.jsonl", "c.parquet"), (tmp_path / "c.parquet", "d.jsonl")):  # noqa: E501  # fmt: skip
        assert convert(capsys, source, "--to", "canonical", "--output", tmp_path / target)[0] == 0

    def rows(name):
        return [{**json.loads(line), "source": ""} for line in (tmp_path / name).read_text().splitlines()]

    assert rows("b.jsonl") == rows("d.jsonl")


def test_wrong_names_and_taken_files_are_one_line(pairs, tmp_path, capsys):
    target = tmp_path / "out.jsonl"
    status, _, err = convert(capsys, pairs, "--to", "open-rlfh", "--output", target)
    assert (status, target.exists()) == (2, False)
    assert "did you mean" in err
    target.write_text("mine")
    status, _, err = convert(capsys, pairs, "--to", "trl", "--output", target)
    assert (status, target.read_text()) == (2, "mine")
    assert "exists already" in err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trl_trains_on_what_is_written_the_same_from_json_and_parquet(tmp_path, capsys):
    """Rows with and without margin, tools and weight: a null where TRL wants a number stops it at the first batch."""
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    from plaudit.models import embedded

    source, losses = tmp_path / "pairs.jsonl", []
    row = {"prompt": "Why is it blue?", "chosen": "Light scatters.", "rejected": "Paint."}
    rows = [{**row, "tags": {"tools": '[{"name": "f"}]'}}, {**row, "margin": 0.5, "domain": "x"}, {**row, "weight": 0}]
    source.write_text("".join(json.dumps(r) + "\n" for r in rows))
    for form in ("json", "parquet"):
        target = tmp_path / f"for-trl.{form}"
        assert convert(capsys, source, "--to", "trl", "--output", target)[0] == 0
        found = datasets.load_dataset(form, data_files=str(target), split="train", cache_dir=str(tmp_path / "cache"))
        how = trl.RewardConfig(
            output_dir=str(tmp_path / "out"), max_steps=2, per_device_train_batch_size=3, report_to=[], bf16=False,
            use_cpu=True, logging_steps=1, disable_tqdm=True, save_strategy="no",
        )  # fmt: skip
        trainer = trl.RewardTrainer(model=str(embedded.path("tiny")), args=how, train_dataset=found)
        losses.append(trainer.train().training_loss)
        assert len(trainer.train_dataset) == 3
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_nothing_written_is_status_2(tmp_path, capsys):
    ratings = tmp_path / "ratings.jsonl"
    ratings.write_text('{"prompt": "2+2?", "completion": "4", "label": true}\n')
    status, out, _ = convert(capsys, ratings, "--to", "trl", "--output", tmp_path / "out.jsonl", "--json")
    assert status == 2
    assert json.loads(out)["skipped_reasons"] == {"one response": 1}


def test_every_vote_of_a_real_file_is_written(data, tmp_path, capsys):
    file, target = data / "pandalm" / "testset-v1.json.gz", tmp_path / "out.parquet"
    status, out, _ = convert(capsys, file, "--to", "canonical", "--output", target, "--json")
    found = json.loads(out)
    assert (status, found["rows"], found["kept"], found["records"]) == (0, 748, 696, 2088)
    assert (found["written"], found["lost"]) == (2088, {})
