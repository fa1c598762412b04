"""Every option is read by something: changing it changes what comes out."""

import math

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from plaudit.errors import PlauditError
from plaudit.training.options import TrainOptions
from plaudit.training.start import ready
from small_runs import dropping, go, lists, losses, metrics, pairs, rated, same, weights, write

# option: (its other value, options that both runs share); the outcome looked at is the final weights
MOVES = {
    "tuning": ("frozen", {}),
    "epochs": (2.0, {"max_steps": 0, "batch_size": 16}),
    "max_steps": (2, {}),
    "batch_size": (3, {}),
    "learning_rate": (2e-3, {}),
    "warmup_ratio": (0.9, {}),
    "lr_scheduler_type": ("constant", {}),
    "min_lr_ratio": (0.5, {}),
    "weight_decay": (0.5, {}),
    "adam_beta1": (0.5, {}),
    "adam_beta2": (0.9, {}),
    "adam_epsilon": (1e-2, {}),
    "max_grad_norm": (0.0, {"learning_rate": 1e-2}),
    "dtype": ("bfloat16", {}),
    "dropout": (True, {"model": "dropping"}),
    "lora_r": (2, {"tuning": "lora"}),
    "lora_alpha": (2.0, {"tuning": "lora"}),
    "lora_dropout": (0.5, {"tuning": "lora"}),
    "lora_targets": ("q_proj, v_proj", {"tuning": "lora"}),
    "max_length": (24, {}),
    "loss": ("rao_kupper", {}),
    "list_loss": ("plackett_luce", {"files": "lists"}),
    "point_loss": ("bce", {"files": "mixed"}),
    "loss_options": ({"top_k": 1}, {"files": "lists", "list_loss": "plackett_luce"}),
    "rating": ("other", {"files": "ratings", "rating": "stars"}),
    "pointwise_coefficient": (0.1, {"files": "mixed"}),
    "center_rewards_coefficient": (1.0, {}),
    "ignore_columns": (True, {"files": "soft"}),
    "contrastive": ("simcse", {}),
    "contrastive_on": ("difference", {"contrastive": "simcse"}),
    "contrastive_beta": (0.3, {"contrastive": "simcse"}),
    "contrastive_temperature": (0.5, {"contrastive": "simcse"}),
    "contrastive_prototypes": (7, {"contrastive": "swav"}),
    "contrastive_noise": ("hidden", {"contrastive": "simcse"}),
    "contrastive_dropout": (0.3, {"contrastive": "simcse"}),
    "meta": ("GROUPS", {"meta_eta": 0.01}),
    "meta_eta": (0.5, {"meta": "GROUPS"}),
    "meta_order": ("exact", {"meta": "GROUPS", "meta_eta": 0.5}),
    "meta_batch_size": (2, {"meta": "GROUPS", "meta_eta": 0.5}),
    "smoothing_beta": (0.3, {"max_steps": 6}),
    "margin": ("constant", {}),
    "margin_scale": (0.5, {"margin": "constant"}),
    "margin_cap": (0.5, {"margin": "constant"}),
    "margin_decay": (0.2, {"margin": "running", "learning_rate": 5e-3}),
    "held_out": (0.5, {}),
    "group_by": ("id", {"files": "threads"}),
    "eval": ("FILE", {}),
    "seed": (1, {}),
}
# what may change nothing about the weights; each is shown to be read in a test of its own, named here
ELSEWHERE = {
    "divergence_factor": "test_diverged.test_a_finite_explosion_stops_and_names_its_rows",
    "batch_tokens": "test_memory_and_speed_options_change_no_number",
    "gradient_checkpointing": "test_memory_and_speed_options_change_no_number",
    "eval_steps": "test_when_things_are_written",
    "save_steps": "test_when_things_are_written",
    "save_total_limit": "test_when_things_are_written",
    "logging_steps": "test_when_things_are_written",
    "early_stopping_patience": "test_loop.test_early_stopping",
    "metric_for_best_model": "test_loop.test_early_stopping",
    "report_to": "test_loop.test_what_cannot_be_done_is_said_before_a_folder_appears",
    "meta_layout": "test_meta.test_samples_of_a_policy_are_meta_groups_under_any_layout",
    "device": "test_loop.test_what_cannot_be_done_is_said_before_a_folder_appears",
    "trust_remote_code": "test_remote_code_needs_the_flag",
    "allow_pickles": "test_pickled_weights_need_the_flag",
}


def test_no_option_is_forgotten():
    assert set(MOVES) | set(ELSEWHERE) == set(TrainOptions.model_fields)
    assert not set(MOVES) & set(ELSEWHERE)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    say = lambda role, text: [{"role": role, "content": text}]  # noqa: E731
    ratings = [
        {"prompt": say("user", f"q{i}"), "responses": [say("assistant", f"a {i}")], "ranks": None,
         "ratings": [{"stars": i % 5, "other": 1.0}]} for i in range(12)
    ]  # fmt: skip
    threads = [row | {"prompt": "One prompt for four?"} if i < 4 else row for i, row in enumerate(pairs(12))]
    made = {
        "pairs": pairs(12), "lists": lists(12), "ratings": ratings, "soft": pairs(12, target=0.7), "threads": threads,
        "rated": rated(12), "held": pairs(20)[16:],
    }  # fmt: skip
    found = {name: [write(folder / f"{name}.jsonl", rows)] for name, rows in made.items()}
    return found | {"mixed": found["pairs"] + found["rated"], "dropping": dropping(folder / "dropping")}


def _named(files, value):
    """Options with the files they stand for."""
    if isinstance(value, dict) and set(value) <= set(TrainOptions.model_fields):
        return {k: _named(files, v) for k, v in value.items()}
    return (
        {"FILE": files["held"][0], "GROUPS": files["lists"][0]}.get(value, value) if isinstance(value, str) else value
    )


@pytest.mark.slow  # thirty pairs of runs
@pytest.mark.parametrize("option", MOVES)
def test_an_option_changes_the_outcome(tmp_path, files, option):
    other, shared = MOVES[option]
    shared = dict(shared)
    names = files[shared.pop("files", "pairs")]
    if "model" in shared:
        shared["model"] = files["dropping"]
    other, shared = (_named(files, v) for v in (other, shared))
    go(names, tmp_path / "a", **shared)
    go(names, tmp_path / "b", **{**shared, option: other})
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert all(torch.isfinite(v).all() for v in weights(tmp_path / "b").values())


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"batch_tokens": 64}, {"gradient_checkpointing": True}], ids=str)
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_memory_and_speed_options_change_no_number(tmp_path, files, how, tuning):
    both = files["mixed"] + files["lists"]
    for name, more in {"a": {}, "b": how}.items():
        go(both, tmp_path / name, tuning=tuning, batch_size=16, max_steps=6, held_out=0, **more)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), rel=1e-5)


def test_gradient_checkpointing_is_switched_on():
    for asked in (True, False):
        layers = ready("tiny", TrainOptions(gradient_checkpointing=asked)).model.model.layers
        assert all(layer.gradient_checkpointing == asked for layer in layers)


@pytest.mark.slow
def test_when_things_are_written(tmp_path, files):
    go(files["pairs"], tmp_path / "a", max_steps=8, logging_steps=3, eval_steps=5, save_steps=2, save_total_limit=3)
    assert [row["step"] for row in metrics(tmp_path / "a") if "loss" in row] == [3, 6, 8]
    assert [row["step"] for row in metrics(tmp_path / "a") if "eval_loss" in row] == [5, 8]
    go(files["pairs"], tmp_path / "b", max_steps=8, held_out=0, save_steps=2, save_total_limit=3)
    assert {p.name for p in (tmp_path / "b").glob("checkpoint-*")} == {"checkpoint-4", "checkpoint-6", "checkpoint-8"}
    go(files["pairs"], tmp_path / "c", max_steps=8, held_out=0)
    go(files["pairs"], tmp_path / "d", max_steps=8, eval_steps=0)  # four times
    assert [row["step"] for row in metrics(tmp_path / "d") if "eval_loss" in row] == [2, 4, 6, 8]
    assert {p.name for p in (tmp_path / "c").glob("checkpoint-*")} == {"checkpoint-8"}


def test_remote_code_needs_the_flag(tmp_path, files):
    folder = dropping(tmp_path / "remote")
    config = (folder / "config.json").read_text().replace('"llama"', '"own"', 1)
    config = config.replace("{", '{"auto_map": {"AutoConfig": "own.OwnConfig"},', 1)
    (folder / "config.json").write_text(config)
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig\n\n\nclass OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "    print('own code ran')\n"
    )
    with pytest.raises(PlauditError, match="--trust-remote-code"):
        go(files["pairs"], tmp_path / "D", model=folder)


def test_pickled_weights_need_the_flag(tmp_path, files):
    folder = dropping(tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PlauditError, match="--allow-pickles"):
        go(files["pairs"], tmp_path / "D", model=folder)
    assert ready(str(folder), TrainOptions(allow_pickles=True)).model.config.num_labels == 1


def test_dropout_is_off_unless_asked(tmp_path, files):
    go(files["pairs"], tmp_path / "a", model=files["dropping"])
    go(files["pairs"], tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, f in TrainOptions.model_fields.items()
        if "float" in str(f.annotation) and "dict" not in str(f.annotation)
    ],
)
def test_no_number_is_infinite(name):
    """A checkpoint could not be written: JSON has no infinity."""
    with pytest.raises(ValidationError):
        TrainOptions(**{name: math.inf})
