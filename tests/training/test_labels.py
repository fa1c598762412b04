"""Targets and margins that move during a run: whatever the cut, exported, judged by the labels as they came."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from plaudit.errors import OptionError, PlauditError
from small_runs import go, lists, losses, metrics, noise, pairs, same, weights, write

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

HOW = {"max_steps": 4, "batch_size": 6, "held_out": 0, "save_steps": 4, "learning_rate": 3e-3}


def exported(folder):
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]


def test_labels_move_once_an_epoch_towards_what_was_believed(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(12))
    how = HOW | {"max_steps": 8}
    go(file, tmp_path / "D", smoothing_beta=0.2, **how)
    lines = exported(tmp_path / "D")
    assert [line["id"] for line in lines] == [f"r{i}" for i in range(12)]
    assert all(line["label"] == 1 and 0.8**4 <= line["target"] < 1 for line in lines)
    steps = [row for row in metrics(tmp_path / "D") if "loss" in row]
    shifts = [row["plaudit/label_shift"] for row in steps]
    assert shifts[0] == shifts[1] == 0 < shifts[2] == shifts[3] < shifts[4]
    state = load_file(tmp_path / "D" / "checkpoint-8" / "labels.safetensors")
    assert state["target"].tolist() == [line["target"] for line in lines]
    plain = go(file, tmp_path / "plain", **how)
    assert losses(tmp_path / "D")[:2] == losses(tmp_path / "plain")[:2]
    assert losses(tmp_path / "D")[2:] != losses(tmp_path / "plain")[2:]
    assert "smoothing_beta" in plain["options"]
    assert not (tmp_path / "plain" / "labels.jsonl").exists()


def test_an_epoch_of_one_step_is_the_simultaneous_update(tmp_path):
    """Frozen trunk, one comparison: what the tabular form says of the gap, the run does to the label."""
    file = write(tmp_path / "a.jsonl", pairs(1))
    go(file, tmp_path / "D", smoothing_beta=0.3, **(HOW | {"max_steps": 5, "logging_steps": 1}))
    target = 1.0
    for row in [row for row in metrics(tmp_path / "D") if "loss" in row]:
        target = 0.7 * target + 0.3 / (1 + np.exp(-row["margin"]))
    assert exported(tmp_path / "D")[0]["target"] == pytest.approx(target, abs=1e-6)


def test_the_log_keeps_to_the_labels_as_they_came(tmp_path):
    """A label that has moved past one half still counts as it was written."""
    file = write(tmp_path / "a.jsonl", noise(12))
    go(file, tmp_path / "D", smoothing_beta=1.0, **(HOW | {"learning_rate": 1e-8}))
    rows = [row for row in metrics(tmp_path / "D") if "loss" in row]
    go(file, tmp_path / "plain", **(HOW | {"learning_rate": 1e-8}))
    still = [row for row in metrics(tmp_path / "plain") if "loss" in row]
    for key in ("accuracy", "margin", "plaudit/plain_loss"):
        assert [row[key] for row in rows] == pytest.approx([row[key] for row in still], abs=1e-4), key


def test_labels_of_other_data_are_refused(tmp_path):
    go(write(tmp_path / "a.jsonl", noise(12)), tmp_path / "D", smoothing_beta=0.2, **HOW)
    other, how = write(tmp_path / "b.jsonl", noise(14)), HOW | {"max_steps": 5}
    with pytest.raises(PlauditError, match="holds 12 moving labels, this data 14"):
        go(other, tmp_path / "D", smoothing_beta=0.2, resume_run=True, allow_changes=True, **how)
    go(other, tmp_path / "plain", **HOW)
    with pytest.raises(PlauditError, match="holds no moving labels"):
        go(other, tmp_path / "plain", smoothing_beta=0.2, resume_run=True, allow_changes=True, **how)


def test_ties_and_rows_without_weight_keep_their_labels(tmp_path):
    rows = pairs(8, weight=lambda i: float(i != 3), target=lambda i: 0.5 if i == 5 else 1.0)
    go(write(tmp_path / "a.jsonl", rows), tmp_path / "D", smoothing_beta=0.4, **(HOW | {"batch_size": 8}))
    found = {line["id"]: line["target"] for line in exported(tmp_path / "D")}
    assert (found["r3"], found["r5"]) == (1.0, 0.5)
    assert all(found[f"r{i}"] < 1 for i in (0, 1, 2, 4, 6, 7))


def test_smoothing_without_beta_and_margins_of_nothing_are_plain_training(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(12))
    go(file, tmp_path / "plain", **HOW)
    for name, how in {
        "scale": {"margin": "constant", "margin_scale": 0.0},
        "cap": {"margin": "running", "margin_cap": 0},
    }.items():
        go(file, tmp_path / name, **HOW, **how)
        assert same(weights(tmp_path / name), weights(tmp_path / "plain"))


def test_a_constant_margin_is_the_column_margin(tmp_path):
    rows = [r | {"target": 0.0} if i % 3 == 0 else r for i, r in enumerate(pairs(12))]
    written = [r | {"margin": -0.4 if r.get("target") == 0.0 else 0.4} for r in rows]
    go(write(tmp_path / "a.jsonl", rows), tmp_path / "a", margin="constant", margin_scale=0.4, **HOW)
    go(write(tmp_path / "b.jsonl", written), tmp_path / "b", **HOW)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert metrics(tmp_path / "a")[0]["plaudit/extra_margin"] == pytest.approx(0.4)
    graded = write(tmp_path / "c.jsonl", [r | {"strength": 2.0} for r in rows])
    go(graded, tmp_path / "c", margin="strength", margin_scale=0.2, **HOW)
    assert losses(tmp_path / "c") == losses(tmp_path / "b")


@pytest.mark.parametrize(
    "margin", ["confidence", *(pytest.param(m, marks=pytest.mark.slow) for m in ("batch_mean", "running"))]
)
def test_the_cut_into_micro_batches_changes_no_margin(tmp_path, margin):
    files = [write(tmp_path / "a.jsonl", noise(16)), write(tmp_path / "l.jsonl", lists(4))]
    for name, more in {"a": {}, "b": {"batch_tokens": 64}}.items():
        go(files, tmp_path / name, margin=margin, **(HOW | {"batch_size": 10, "max_steps": 3}), **more)
    one, other = ([row["plaudit/extra_margin"] for row in metrics(tmp_path / n) if "loss" in row] for n in "ab")
    assert other == pytest.approx(one, rel=1e-3, abs=1e-6)
    assert any(one)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), rel=1e-4)


@pytest.mark.parametrize("how", [{"smoothing_beta": 0.1}, {"margin": "constant"}], ids=str)
def test_a_list_loss_that_reads_no_such_column_is_refused(tmp_path, how):
    file = write(tmp_path / "l.jsonl", lists(6))
    with pytest.raises(OptionError, match="plackett_luce does not read"):
        go(file, tmp_path / "D", list_loss="plackett_luce", **how)
    assert not (tmp_path / "D").exists()
    go(write(tmp_path / "a.jsonl", pairs(6)), tmp_path / "D", list_loss="plackett_luce", **how)
