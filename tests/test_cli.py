"""Flags and files of options: every mistake at once, where it stands, with the nearest name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.cli import COMMANDS, run
from small_runs import pairs, write


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "a.jsonl", pairs(8))


def config(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return str(path)


def refused(capsys, *argv):
    assert run(list(argv)) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.replace(str(argv[argv.index("--config") + 1]), "run.yaml") if "--config" in argv else err


def test_every_mistake_of_a_file_at_once(tmp_path, file, capsys):
    path = config(
        tmp_path,
        "losss: x\nbatch_size: many\nepochs: -1\ndropout: perhaps\nmax_steps: yes\nmodel: tiny\nloss_options: {a: b}\n"
        "seed: 1\nseed: 2\n",
    )
    err = refused(capsys, "train", file, "--config", path, "--tunning", "lora", "--warmup-ratio=2")
    for words in (
        "run.yaml: unknown key 'losss' (did you mean 'loss'?)",
        "run.yaml: batch_size: input should be a valid integer",
        "run.yaml: epochs: input should be greater than 0, not '-1'",
        "run.yaml: dropout: must be true or false, not 'perhaps'",
        "run.yaml: max_steps: must be a value, not True",
        "run.yaml: loss_options.a: input should be a valid number",
        "run.yaml: 'seed' stands there twice",
        "unknown option --tunning (did you mean --tuning?)",
        "--output-dir is missing",
        "--warmup-ratio: input should be less than 1, not '2'",
    ):
        assert words in err, words
    assert len(err.strip().splitlines()) == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\nb: {", "run.yaml:2: not YAML"),
        ("- a\n", "run.yaml: the file must hold `key: value` lines"),
        ("~\n", "--output-dir is missing"),
        ("false\n", "--output-dir is missing"),
        ("", "--output-dir is missing"),
        ("model: tiny\noutput_dir: D\n", "FILES"),
    ],
)
def test_files_that_are_no_options(tmp_path, capsys, text, words):
    assert words in refused(capsys, "train", "--config", config(tmp_path, text))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["train", "--config", "nowhere.yaml"], "run.yaml: cannot be read: No such file or directory"),
        (["train", "x", "--config"], "--config: which file?"),
        (["tran"], 'Did you mean "train"'),
        (
            ["train", "x", "--model", "tiny", "--output-dir", "D", "--lora-r=0", "--adam-beta1=1"],
            "--lora-r: input should",
        ),
        (
            ["train", "x", "--model", "tiny", "--output-dir", "D", "--loss-options", "a=1"],
            "--loss-options: input should",
        ),
        (["train", "x", "--model", "tiny", "--output-dir", "D", "--loss=mse"], "'bradley_terry', 'rao_kupper' or"),
    ],
)
def test_mistakes_in_flags(capsys, argv, words):
    if argv[-1] == "--config":
        assert run(argv) == 2
        assert words in capsys.readouterr().err
    else:
        assert words in refused(capsys, *argv)


def test_flags_win_over_the_file_and_both_reach_the_command(tmp_path, file, capsys):
    path = config(
        tmp_path,
        f"files: {file}\nmodel: tiny\noutput_dir: {tmp_path / 'D'}\nloss: rao_kupper\nloss_options:\n  a: 0.5\n"
        "batch-size: 3\ntuning: lora\ndropout: true\ngradient_checkpointing: true\nlearning_rate: 1e-3\nrating:\n",
    )
    argv = ["train", "--config", path, "--dry-run", "--json", "--tuning", "frozen", "--no-dropout", "--batch-size=5"]
    assert run(argv) == 0
    options = json.loads(capsys.readouterr().out)["options"]
    assert options["loss_options"] == {"a": 0.5}
    assert (options["loss"], options["batch_size"], options["tuning"]) == ("rao_kupper", 5, "frozen")
    assert (options["dropout"], options["gradient_checkpointing"], options["learning_rate"]) == (False, True, 1e-3)
    assert run([*argv, "--loss-options.prior=0.1"]) == 0  # a flag replaces the file's whole table
    assert json.loads(capsys.readouterr().out)["options"]["loss_options"] == {"prior": 0.1}
    assert not (tmp_path / "D").exists()


def test_a_flag_with_underscores_wins_over_the_file_too(tmp_path, file, capsys):
    text = "batch_size: 3\ndropout: true\nloss: davidson\nloss_options:\n  prior: 0.5\n"
    path = config(tmp_path, f"files: {file}\nmodel: tiny\noutput_dir: {tmp_path / 'D'}\n{text}")
    flags = ["--batch_size=5", "--no_dropout", "--loss_options.b=0.25", "--max_steps", "2"]
    assert run(["train", "--config", path, "--dry-run", "--json", *flags]) == 0
    options = json.loads(capsys.readouterr().out)["options"]
    assert (options["batch_size"], options["dropout"], options["max_steps"]) == (5, False, 2)
    assert options["loss_options"] == {"b": 0.25}


def test_files_that_are_named_win_over_those_of_the_file_wherever_they_stand(tmp_path, file, capsys):
    path = config(tmp_path, f"files: [{write(tmp_path / 'b.jsonl', pairs(5))}]\nlayout: trl\n")
    for argv in (["--json", file], [file, "--json"], ["--group-by", "id", "--strict", file, "--json"]):
        assert run(["inspect", "--config", path, *argv]) == 0
        assert [f["rows"] for f in json.loads(capsys.readouterr().out)["files"]] == [8]
    assert run(["inspect", "--group-by", "id", "--json", "--config", path]) == 0
    assert [f["rows"] for f in json.loads(capsys.readouterr().out)["files"]] == [5]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_file_of_options(name, capsys):
    assert run([name, "--help"]) == 0
    assert "--config FILE" in capsys.readouterr().out


def test_two_files_of_options_and_a_misspelt_one(tmp_path, file, capsys):
    path = config(tmp_path, f"model: tiny\noutput_dir: {tmp_path / 'D'}\n")
    assert "--config: one file" in refused(capsys, "train", file, "--config", path, f"--config={path}")
    assert "--confg (did you mean --config?)" in refused(capsys, "train", file, "--confg", path)


def test_help_is_light():
    code = (
        "import sys\nfrom plaudit.cli import COMMANDS, run\nassert run(['train', '--help']) == 0\n"
        "heavy = {'torch', 'numpy', 'transformers', 'pyarrow'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--loss-options" in done.stdout


def test_files_of_a_config_follow_the_scorer(tmp_path, capsys):
    data = write(tmp_path / "a.jsonl", pairs(5))
    path = config(tmp_path, f"files: {data}\n")
    for argv in (["length", "--config", path], ["--config", path, "--seed", "1", "length"]):
        assert run(["evaluate", *argv, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["results"][0]["n"] == 5
    assert run(["score", "length", "--config", path, "--output", str(tmp_path / "s.jsonl")]) == 0
    assert run(["evaluate", "--scores", str(tmp_path / "s.jsonl"), "--config", path]) == 0
    assert "name a scorer" in refused(capsys, "evaluate", "--config", path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_behind_standard_output_is_one_line(file, more):
    command = [sys.executable, "-m", "plaudit", "inspect", str(file), *more]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "plaudit: the output could not be written: No space left on device\n"
