"""A number that is not finite stops the run with step, rows and quantity, and its update is never applied."""

import copy

import pytest
import torch

from plaudit.cli import run
from plaudit.models.forward import Reader
from plaudit.training.batches import batches
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import prepare
from plaudit.training.start import accelerator_for, objective_for, optimizer_for, ready
from plaudit.training.steps.plain import Around, Diverged, step
from small_runs import go, pairs, write


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
    take = lambda: step(model, next(feed), objective, optimizer, around=Around(accelerator, 1.0))  # noqa: E731
    take()
    take()
    return model, optimizer, take


@pytest.mark.parametrize("name", ["model.model.layers.1.mlp.down_proj.weight", "model.score.weight"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_update_is_not_applied(prepared, name, value):
    model, optimizer, take = prepared
    with torch.no_grad():
        dict(model.named_parameters())[name][0, 0] = value
    weights = {n: p.detach().clone() for n, p in model.named_parameters()}
    moments = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(Diverged) as caught:
        take()
    assert "score is" in str(caught.value) or "gradient" in str(caught.value)
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


def test_a_learning_rate_beyond_reason(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(12))
    with pytest.raises(Diverged, match=r"step \d+: a (score|loss) is|step \d+: the gradient's norm is") as caught:
        go(file, tmp_path / "D", learning_rate=1e30, max_steps=20, max_grad_norm=0, lr_scheduler_type="constant")
    assert f"{file}:" in str(caught.value)
    assert caught.value.exit_status == 1
