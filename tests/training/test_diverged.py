"""A number that is not finite, or a loss beyond reason, stops the run with step, rows and quantity; no bad update."""

import copy
import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from plaudit.cli import run
from plaudit.models.forward import Reader
from plaudit.training.batches import batches
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import prepare
from plaudit.training.start import accelerator_for, objective_for, optimizer_for, ready
from plaudit.training.steps.plain import Around, Diverged, step
from small_runs import go, losses, noise, pairs, rated, write


@pytest.fixture
def prepared(tmp_path):
    """What a step needs, after two good ones; the weights are then changed by the caller."""
    options = TrainOptions(held_out=0, device="cpu", learning_rate=1e-3)
    loaded, accelerator = ready("tiny", options), accelerator_for(options)
    part = prepare([write(tmp_path / "a.jsonl", pairs(8))], loaded.policy, options).train
    objective, reader = objective_for(options), Reader(loaded.model)
    model, optimizer = accelerator.prepare(reader, optimizer_for(reader, objective, options))
    feed = batches(part.encoded, part.columns, size=4, budget=64, seed=0)
    model.train()
    around = Around(accelerator, 1.0, factor=1000.0, seen=1.0)
    take = lambda: step(model, next(feed), objective, optimizer, around=around)  # noqa: E731
    take()
    take()
    return model, optimizer, take


INNER, HEAD = "model.model.layers.1.mlp.down_proj.weight", "model.score.weight"
SPOILT = {
    "nan": lambda w: w[0, 0].fill_(math.nan),
    "infinite": lambda w: w[0, 0].fill_(math.inf),
    "turned round and huge": lambda w: w.mul_(-1e7),  # every score is finite, and so is the loss
}


@pytest.mark.parametrize(
    ("name", "how"), [(INNER, "nan"), (INNER, "infinite"), (HEAD, "nan"), (HEAD, "infinite"), (HEAD, [*SPOILT][-1])]
)
def test_a_bad_update_is_not_applied(prepared, name, how):
    model, optimizer, take = prepared
    with torch.no_grad():
        SPOILT[how](model.get_parameter(name))
    weights = {n: p.detach().clone() for n, p in model.named_parameters()}
    moments = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(Diverged) as caught:
        take()
    assert any(words in str(caught.value) for words in ("score is", "gradient", "the loss is"))
    assert caught.value.rows
    for n, p in model.named_parameters():
        assert torch.equal(p.view(torch.int32), weights[n].view(torch.int32)), n
    after = optimizer.state_dict()["state"]
    assert all(torch.equal(after[i][k], v) for i, s in moments["state"].items() for k, v in s.items())
    assert all(p.grad is None for p in model.parameters())


def test_a_row_that_breaks_the_loss_is_named(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(12, margin=lambda i: 1e39 if i == 7 else 0.0))
    arguments = [
        "train",
        file,
        "--output-dir",
        str(tmp_path / "D"),
        "--model",
        "tiny",
        "--held-out",
        "0",
        "--batch-size",
    ]
    assert run([*arguments, "1", "--epochs", "1", "--save-steps", "1"]) == 1
    err = capsys.readouterr().err
    assert f"{file}:8" in err
    assert "a loss is" in err
    assert "the update was not applied" in err
    assert "Traceback" not in err
    step = int(err.split("plaudit: step ")[1].split(":")[0])
    whole = sorted(int(p.name.split("-")[1]) for p in (tmp_path / "D").glob("checkpoint-*"))
    assert not whole or whole[-1] == step - 1


@pytest.mark.parametrize("losses", [{}, {"list_loss": "plackett_luce"}])
def test_only_the_rows_that_break_a_step_are_named(tmp_path, losses):
    """The others of the same step are innocent; and nothing is promised that was never saved."""
    file = write(tmp_path / "a.jsonl", pairs(12, margin=lambda i: 1e39 if i == 7 else 0.0))
    with pytest.raises(Diverged) as caught:
        go(file, tmp_path / "D", batch_size=12, held_out=0, **losses)
    assert caught.value.message == f"step 1: a loss is inf: {file}:8"
    assert "no checkpoint was saved before" in caught.value.advice


def test_a_learning_rate_beyond_reason(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(12))
    with pytest.raises(Diverged, match=r"step \d+: a (score|loss) is|step \d+: the gradient's norm is") as caught:
        go(file, tmp_path / "D", learning_rate=1e30, max_steps=20, max_grad_norm=0, lr_scheduler_type="constant")
    assert f"{file}:" in str(caught.value)
    assert caught.value.exit_status == 1


@pytest.mark.slow
def test_a_finite_explosion_stops_and_names_its_rows(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(24))
    how = {"learning_rate": 1000.0, "max_steps": 25, "held_out": 0, "save_steps": 1, "lr_scheduler_type": "constant"}
    with pytest.raises(Diverged, match=r"step \d+: the loss is .* more than 1000 times") as caught:
        go(file, tmp_path / "D", **how)
    assert f"{file}:" in str(caught.value)
    assert "--divergence-factor" in str(caught.value)
    step = int(str(caught.value).split("step ")[1].split(":")[0])
    assert max(int(p.name.split("-")[1]) for p in (tmp_path / "D").glob("checkpoint-*")) == step - 1
    run = go(file, tmp_path / "E", divergence_factor=0, **how)
    assert run["steps"] == 25
    assert max(losses(tmp_path / "E")) > 1000
    with pytest.raises(Diverged, match="more than 2 times"):
        go(file, tmp_path / "F", **how | {"learning_rate": 0.3, "divergence_factor": 2.0, "save_steps": 0})


@pytest.mark.slow
@pytest.mark.parametrize(
    "columns",
    [{"margin": lambda i: 1e6 * (i == 7)}, {"margin": 5000.0}, {"weight": lambda i: 1e5 ** (i % 2)}, {"target": 0.0}],
    ids=["one large margin", "large margins", "weights", "flips"],
)
def test_large_margins_and_weights_are_no_explosion(tmp_path, columns):
    file = write(tmp_path / "a.jsonl", pairs(12, **columns))
    run = go(file, tmp_path / "D", batch_size=1, max_steps=24, held_out=0, learning_rate=1e-2)
    assert run["steps"] == 24


@pytest.mark.slow
def test_ratings_and_a_start_on_a_large_scale_are_no_explosion(tmp_path):
    go(write(tmp_path / "p.jsonl", pairs(8)), tmp_path / "P", max_steps=1, learning_rate=1e-3)
    model = tmp_path / "P" / "final"
    table = load_file(model / "model.safetensors")
    save_file(table | {"score.weight": table["score.weight"] * 1e4}, model / "model.safetensors", {"format": "pt"})
    (model / "seal.json").unlink()
    file = write(tmp_path / "r.jsonl", rated(12))
    run = go(file, tmp_path / "D", model=model, max_steps=12, held_out=0, learning_rate=1e-3)
    assert losses(tmp_path / "D")[0] > 1e3  # more than a thousand times a coin
    assert run["steps"] == 12
    state = json.loads((tmp_path / "D" / "checkpoint-12" / "state.json").read_text())
    assert state["loss_seen"] == max(losses(tmp_path / "D")[:10])
