"""Two processes give one process's curve, whatever a batch leaves them to do."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import pytest
from safetensors.torch import load_file

from small_runs import bits, go, lists, losses, metrics, noise, pairs, rated, same, weights, write

pytestmark = pytest.mark.slow

# `--cpu --num_processes 2` starts one process in accelerate 1.15; its torchrun launcher is behind --multi_gpu
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
          "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip
FLAT = "plaudit/eval_temperature"  # lies where the loss is flat: rounding moves it more than any loss
HOW = {"max_steps": 6, "batch_size": 4, "held_out": 0.2, "learning_rate": 1e-3, "save_steps": 3, "eval_steps": 3}


def flags(options):
    return [f"--{k.replace('_', '-')}" + ("" if v is True else f"={v}") for k, v in options.items()]


def together(file, folder, *, script=None, more=(), **options):
    """Train with two gloo processes on the CPU."""
    what = [script] if script else ["--module", "plaudit"]
    port = str(20000 + os.getpid() % 20000)
    command = [sys.executable, *LAUNCH, "--main_process_port", port, *what, "train", file, "--model", "tiny",
               "--output-dir", str(folder), "--device", "cpu", *flags(HOW | options), *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "how",
    [
        {"loss": "davidson"},  # its parameter lies outside the wrapped model
        {"loss": "davidson", "batch_size": 1, "rated": True, "max_steps": 10},  # steps without a comparison
        {"batch_size": 1},  # fewer records than processes
        {"batch_size": 3, "tuning": "lora", "gradient_checkpointing": True},
    ],
    ids=str,
)
def test_two_processes_give_the_curve_of_one(tmp_path, how):
    how = dict(how)
    rows = [r for pair in zip(noise(16), rated(16)) for r in pair] if how.pop("rated", False) else noise(16)
    file = write(tmp_path / "a.jsonl", rows)
    status, out, err = together(file, tmp_path / "two", **how)
    assert status == 0, err
    assert out.count("held-out accuracy") == 1  # one process speaks
    assert err.count("preferences to train on") == 1
    one = go(file, tmp_path / "one", **(HOW | how))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    assert (tmp_path / "two" / "final" / "seal.json").exists()
    assert one["loss_parameters"] == pytest.approx(run_json(tmp_path / "two")["loss_parameters"], rel=1e-4)
    worst = max(float((a - weights(tmp_path / "two")[k]).abs().max()) for k, a in weights(tmp_path / "one").items())
    assert worst < 1e-4


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def test_two_processes_resume_with_the_same_bits(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(16))
    assert together(file, tmp_path / "D")[0] == 0
    shutil.copytree(tmp_path / "D", tmp_path / "E")
    shutil.rmtree(tmp_path / "E" / "checkpoint-6")
    shutil.rmtree(tmp_path / "E" / "final")
    status, _, err = together(file, tmp_path / "E", more=["--resume"])
    assert status == 0, err
    assert err.count("resuming from checkpoint-3") == 1
    assert bits(tmp_path / "E") == bits(tmp_path / "D")


def test_all_processes_stop_when_one_meets_a_bad_number(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(8, margin=lambda i: 1e39 if i == 5 else 0.0))
    status, _, err = together(file, tmp_path / "D", held_out=0, batch_size=8)
    assert status != 0
    assert f"{file}:6" in err
    assert "step 1: a loss is" in err


FSDP = '''
"""`plaudit` with the plugin that accelerate leaves out on CPUs: the same sharding, over gloo."""
import sys
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from plaudit.cli import main
from plaudit.training import loop

real = loop.accelerator_for

def sharding(options):
    found = real(options)
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, cpu_ram_efficient_loading=False,
        auto_wrap_policy="transformer_based_wrap", transformer_cls_names_to_wrap=["LlamaDecoderLayer"])
    AcceleratorState._shared_state["fsdp_plugin"] = plugin
    for state in (PartialState, AcceleratorState):
        state._shared_state["distributed_type"] = DistributedType.FSDP
    return found

loop.accelerator_for = sharding
main()
'''


def test_sharded_weights_are_saved_whole(tmp_path):
    """accelerate turns FSDP on for accelerators only (AcceleratorState names MULTI_GPU and its like, not MULTI_CPU).

    So its plugin is put in by hand; everything after that is what a GPU would run.
    """
    script = tmp_path / "sharded.py"
    script.write_text(FSDP)
    file = write(tmp_path / "a.jsonl", noise(16))
    status, _, err = together(file, tmp_path / "two", script=str(script))
    if status and "NotImplementedError" in err:
        reason = err.strip().splitlines()[-1]
        pytest.skip(f"torch {importlib.metadata.version('torch')} cannot shard over gloo: {reason}")
    assert status == 0, err
    go(file, tmp_path / "one", **HOW)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert set(one) == set(two)
    assert max(float((one[k] - two[k]).abs().max()) for k in one) < 1e-4
    best = tmp_path / "two" / f"checkpoint-{run_json(tmp_path / 'two')['held_out']['step']}"
    assert same(two, load_file(best / "model.safetensors"))
    expected = bits(tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "checkpoint-6")
    shutil.rmtree(tmp_path / "two" / "final")
    status, _, err = together(file, tmp_path / "two", script=str(script), more=["--resume"])
    assert status == 0, err
    assert bits(tmp_path / "two") == expected


def test_fsdp_asked_for_on_cpus_is_said_to_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    status, _, err = together(write(tmp_path / "a.jsonl", pairs(8)), tmp_path / "D", held_out=0)
    assert status == 0, err
    assert "accelerate shards models on GPUs only" in err


@pytest.mark.parametrize(
    "how",
    [
        {"contrastive": "swav", "batch_tokens": 64, "batch_size": 3},  # and so fewer records than twice the processes
        {"contrastive": "simcse", "contrastive_on": "difference", "batch_size": 1},
        {"meta": "GROUPS", "meta_eta": 0.3, "meta_order": "exact", "smoothing_beta": 0.3, "margin": "running"},
        {"margin": "confidence", "meta": "GROUPS", "meta_batch_size": 1, "meta_eta": 0.3, "batch_tokens": 64},
    ],
    ids=str,
)
def test_two_processes_generalise_as_one_does(tmp_path, how):
    file, groups = write(tmp_path / "a.jsonl", noise(16)), write(tmp_path / "m.jsonl", lists(7))
    how = {k: groups if v == "GROUPS" else v for k, v in how.items()}
    status, _, err = together(file, tmp_path / "two", **how)
    assert status == 0, err
    go(file, tmp_path / "one", **(HOW | how))
    one, two = (
        [
            {k: v for k, v in row.items() if (k.startswith("plaudit/") and k != FLAT) or k == "loss"}
            for row in metrics(tmp_path / name)
        ]
        for name in ("one", "two")
    )
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=2e-4, abs=1e-6)
    if (tmp_path / "one" / "labels.jsonl").exists():
        moved = [
            [json.loads(line)["target"] for line in (tmp_path / name / "labels.jsonl").read_text().splitlines()]
            for name in ("one", "two")
        ]
        assert moved[1] == pytest.approx(moved[0], abs=1e-5)


@pytest.mark.parametrize("how", [{"contrastive": "simcse"}, {"meta": "GROUPS"}], ids=str)
def test_what_sharded_weights_cannot_do_is_refused(tmp_path, how):
    script = tmp_path / "sharded.py"
    script.write_text(FSDP)
    groups = write(tmp_path / "m.jsonl", lists(7))
    how = {k: groups if v == "GROUPS" else v for k, v in how.items()}
    status, _, err = together(write(tmp_path / "a.jsonl", noise(16)), tmp_path / "D", script=str(script), **how)
    assert status != 0
    assert "not under FSDP" in err
