"""Training through its front door: every kind of row, every way of tuning, and what is left on disk."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from plaudit.errors import OptionError, PlauditError
from plaudit.evaluation.evaluate import evaluate
from plaudit.models.score import load_scorer
from plaudit.models.trees.probe import Verdict
from plaudit.rewards.load import load
from plaudit.training import loop
from plaudit.training import rehearse as rehearse_room
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import prepare
from plaudit.training.rehearse import rehearse
from plaudit.training.start import ready
from small_runs import go, lists, losses, metrics, noise, pairs, rated, same, weights, write


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "pairs.jsonl", pairs(30))


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora", "frozen"])
def test_every_tuning_learns_its_data_and_saves_what_loads(tmp_path, tuning):
    file = write(tmp_path / "a.jsonl", pairs(24))
    run = go(file, tmp_path / "D", tuning=tuning, max_steps=30, batch_size=8, eval_steps=30, learning_rate=3e-3)
    seen = losses(tmp_path / "D")
    assert sum(seen[-3:]) < 0.75 * sum(seen[:3])
    assert run["steps"] == 30
    for name in ("final", "checkpoint-30"):
        scorer = load(str(tmp_path / "D" / name))
        again = load(str(tmp_path / "D" / "final"))
        a, b = (s.score("How do I rice?", ["First rice.", "Why?"]) for s in (scorer, again))
        assert a == pytest.approx(b, abs=1e-5)
    moved = {k for k, v in weights(tmp_path / "D").items() if not torch.equal(v, start(tuning)[k])}
    everything = set(weights(tmp_path / "D"))
    assert moved == {"full": everything, "frozen": {"score.weight"}}.get(tuning, {k for k in moved if "norm" not in k})
    assert ("adapter" in {p.name for p in (tmp_path / "D" / "final").iterdir()}) == (tuning == "lora")


def start(tuning):
    model = ready("tiny", TrainOptions()).model
    return model.state_dict()


def test_what_a_run_leaves(tmp_path, file):
    more = "broken\n" + json.dumps({"prompt": "q", "chosen": "same", "rejected": "same"}) + "\n"
    (tmp_path / "b.jsonl").write_text(Path(file).read_text() + more)
    run = go(str(tmp_path / "b.jsonl"), tmp_path / "D", epochs=1.0, max_steps=0)
    assert {p.name for p in (tmp_path / "D").iterdir()} >= {
        "final", "metrics.jsonl", "curves.svg", "run.json", "dropped.jsonl"
    }  # fmt: skip
    document = json.loads((tmp_path / "D" / "run.json").read_text())
    assert set(document) >= {"steps", "rows", "options", "digests", "held_out"}
    assert set(document["rows"]) >= {"train", "held_out", "dropped"}
    assert document == json.loads(json.dumps(run))
    dropped = [json.loads(line) for line in (tmp_path / "D" / "dropped.jsonl").read_text().splitlines()]
    assert [d["where"].rpartition(":")[2] for d in dropped] == ["31", "32"]
    assert document["rows"]["dropped"] == 2
    assert document["rows"]["train"] + document["rows"]["held_out"] == 30
    assert run["steps"] == math.ceil(document["rows"]["train"] / 4)
    card = json.loads((tmp_path / "D" / "final" / "plaudit.json").read_text())
    assert card["reward"]["source"] == "held-out"
    assert card["steps"] == run["held_out"]["step"]
    assert len(card["groups"]["train"]) == document["rows"]["train"]


@pytest.mark.slow
def test_prompts_of_the_run_that_it_began_from_are_not_forgotten(tmp_path):
    sides = [write(tmp_path / f"{i}.jsonl", pairs(24)[8 * i : 8 * i + 8]) for i in range(3)]
    go(sides[0], tmp_path / "a", held_out=0, group_by="prompt")
    go(sides[1], tmp_path / "b", held_out=0, model=tmp_path / "a" / "final")
    go(sides[2], tmp_path / "c", held_out=0, model=tmp_path / "b" / "final", tuning="lora")
    seen = [evaluate(str(tmp_path / "c" / "final"), side).seen for side in sides]
    assert [found and (found["groups"], found["rows"]) for found in seen] == [(8, 8)] * 3


def test_the_names_that_other_tools_know_are_logged(tmp_path, file):
    go(file, tmp_path / "D")
    steps = [row for row in metrics(tmp_path / "D") if "loss" in row]
    trl = {"loss", "accuracy", "margin", "min_reward", "mean_reward", "max_reward", "num_tokens", "learning_rate",
           "grad_norm", "epoch"}  # fmt: skip
    assert set(steps[0]) >= trl | {"step", "plaudit/plain_loss"}
    assert steps[0]["num_tokens"] < steps[1]["num_tokens"] < steps[2]["num_tokens"]
    judged = [row for row in metrics(tmp_path / "D") if "eval_loss" in row]
    assert set(judged[0]) >= {"eval_loss", "eval_accuracy", "eval_margin", "plaudit/eval_length_only"}


def test_the_final_model_is_the_best_checkpoint(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(40))
    run = go(file, tmp_path / "D", max_steps=12, eval_steps=1, learning_rate=3e-2, save_total_limit=1)
    best = run["held_out"]["step"]
    judged = {row["step"]: row["eval_loss"] for row in metrics(tmp_path / "D") if "eval_loss" in row}
    assert best == min(judged, key=judged.get) < 12
    checkpoint = load(str(tmp_path / "D" / f"checkpoint-{best}"))
    final = load(str(tmp_path / "D" / "final"))
    question = ("How do I cook rice?", ["First rinse it.", "Why?"])
    assert final.score(*question) == checkpoint.score(*question)
    assert {p.name for p in (tmp_path / "D").glob("checkpoint-*")} == {f"checkpoint-{best}", "checkpoint-12"}


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_early_stopping(tmp_path, metric):
    file = write(tmp_path / "a.jsonl", pairs(40))
    how = {"eval_steps": 1, "early_stopping_patience": 2, "metric_for_best_model": metric}
    run = go(file, tmp_path / "D", max_steps=40, learning_rate=5e-2, **how)
    assert run["steps"] == run["held_out"]["step"] + 2 < 40
    judged = {row["step"]: row[f"eval_{metric}"] for row in metrics(tmp_path / "D") if "eval_loss" in row}
    pick = min if metric == "loss" else max
    assert judged[run["held_out"]["step"]] == pick(judged.values())
    again = go(file, tmp_path / "D", max_steps=40, learning_rate=5e-2, resume_run=True, **how)
    assert again == run


@pytest.mark.slow
def test_lists_ties_ratings_and_pairs_in_one_run(tmp_path):
    ties = [{"prompt": f"Tie {i}?", "response_a": f"a {i}", "response_b": f"bb {i}", "winner_model_a": 0,
             "winner_model_b": 0, "winner_tie": 1} for i in range(6)]  # fmt: skip
    files = [
        write(tmp_path / "pairs.jsonl", pairs(12)), write(tmp_path / "lists.jsonl", lists(12)),
        write(tmp_path / "rated.jsonl", rated(12)), write(tmp_path / "ties.jsonl", ties),
    ]  # fmt: skip
    curves = {}
    for name, how in {
        "pairs": {}, "ranking": {"list_loss": "plackett_luce"}, "bce": {"point_loss": "bce"},
        "light": {"pointwise_coefficient": 0.1}, "ties": {"loss": "davidson"}, "kupper": {"loss": "rao_kupper"},
        "centre": {"center_rewards_coefficient": 1},
    }.items():  # fmt: skip
        run = go(files, tmp_path / name, batch_size=42, max_steps=2, **how)
        curves[name] = tuple(losses(tmp_path / name))
        assert run["rows"]["train"] + run["rows"]["held_out"] == 42
        assert run["rows"]["dropped"] == 0
        assert set(run["loss_parameters"]) == {"ties": {"b"}, "kupper": {"a"}}.get(name, set())
    assert len(set(curves.values())) == len(curves)


def test_ratings_alone(tmp_path):
    file = write(tmp_path / "a.jsonl", rated(20))
    run = go(file, tmp_path / "D", max_steps=20, batch_size=8)
    assert "eval_accuracy" not in run["held_out"]
    assert losses(tmp_path / "D")[-1] < losses(tmp_path / "D")[0]
    assert load_scorer(tmp_path / "D" / "final")


@pytest.mark.slow
def test_target_margin_and_weight_are_obeyed_and_can_be_ignored(tmp_path, capsys):
    plain = write(tmp_path / "plain.jsonl", pairs(20))
    go(plain, tmp_path / "plain")
    assert "carry" not in capsys.readouterr().err
    for name, column in {"target": lambda i: 0.1, "margin": lambda i: 0.5, "weight": lambda i: 1 + i % 3}.items():
        file = write(tmp_path / f"{name}.jsonl", pairs(20, **{name: column}))
        run = go(file, tmp_path / name)
        expected = (
            run["rows"]["train"] + run["rows"]["held_out"] - (sum(i % 3 == 0 for i in range(20)) * (name == "weight"))
        )
        assert f"{expected} carry a target, margin or weight" in capsys.readouterr().err
        assert losses(tmp_path / name) != losses(tmp_path / "plain")
        go(file, tmp_path / f"{name}-ignored", ignore_columns=True)
        assert losses(tmp_path / f"{name}-ignored") == losses(tmp_path / "plain")


def test_flipped_by_target_is_flipped_by_text(tmp_path):
    rows = pairs(16)
    swapped = [r | {"chosen": r["rejected"], "rejected": r["chosen"]} for r in rows]
    go(write(tmp_path / "a.jsonl", [r | {"target": 0.0} for r in rows]), tmp_path / "a", held_out=0)
    go(write(tmp_path / "b.jsonl", swapped), tmp_path / "b", held_out=0)
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), abs=1e-6)


@pytest.mark.slow
def test_the_weight_of_a_file_is_obeyed_even_when_columns_are_ignored(tmp_path):
    a = write(tmp_path / "a.jsonl", pairs(8, weight=3.0))
    b = write(tmp_path / "b.jsonl", [r | {"id": r["id"] + "b", "prompt": "b " + r["prompt"]} for r in pairs(8)])
    how = {"held_out": 0, "batch_size": 16, "max_steps": 1}
    go([a, b], tmp_path / "plain", ignore_columns=True, **how)
    go([f"{a}:3", b], tmp_path / "file", ignore_columns=True, **how)
    go([a, b], tmp_path / "column", **how)
    assert losses(tmp_path / "file") == losses(tmp_path / "column") != losses(tmp_path / "plain")
    go([a, f"{b}:0"], tmp_path / "zero", **how)
    go([a], tmp_path / "alone", held_out=0, batch_size=8, max_steps=1)
    assert losses(tmp_path / "zero") == pytest.approx(losses(tmp_path / "alone"), abs=1e-6)


def test_steps_without_weight_are_counted_and_move_nothing(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(12, weight=lambda i: float(i > 5)))
    run = go(file, tmp_path / "D", batch_size=1, max_steps=12, held_out=0)
    assert run["skipped_steps"] == 6
    assert len(losses(tmp_path / "D")) == 6


def test_an_evaluation_file(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", [{k.replace("prompt", "ask"): v for k, v in r.items()} for r in pairs(20)])
    held = write(tmp_path / "h.jsonl", [{k.replace("prompt", "ask"): v for k, v in r.items()} for r in pairs(24)[16:]])
    loaded = ready("tiny", TrainOptions())
    found = prepare([file], loaded.policy, TrainOptions(eval=held), columns={"ask": "prompt"})
    assert (len(found.train), len(found.held), found.counts["shared_groups"]) == (20, 8, 4)
    run = go(write(tmp_path / "b.jsonl", pairs(20)), tmp_path / "D", eval=write(tmp_path / "c.jsonl", pairs(24)[16:]))
    assert run["rows"] == {"train": 20, "held_out": 8, "dropped": 0, "cut": 0}
    assert "4 prompt groups are both trained on and held out" in capsys.readouterr().err


def test_held_out_ties_are_nothing_to_stop_early_by(tmp_path):
    held = write(tmp_path / "h.jsonl", [r | {"target": 0.5} for r in pairs(4)])
    how = {"eval": held, "eval_steps": 1, "max_steps": 4}
    file = write(tmp_path / "a.jsonl", pairs(20))
    with pytest.raises(OptionError, match="nothing is held out that a model could be better or worse at"):
        go(file, tmp_path / "D", early_stopping_patience=1, **how)
    assert go(file, tmp_path / "E", **how)["steps"] == 4


def test_the_model_is_tried_where_it_trains(tmp_path, file, monkeypatch):
    moved, real = [], nn.Module.to

    def to(self, *args, **more):
        moved.append(args)
        return real(self, *args, **more)

    def probed(model):
        assert (torch.device("cpu"),) in moved
        return Verdict("tree", 0.0, "tried")

    monkeypatch.setattr(nn.Module, "to", to)
    monkeypatch.setattr(loop, "probe", probed)
    go(file, tmp_path / "D", max_steps=1)


def test_a_padded_model_saves_no_tokens(tmp_path, file, monkeypatch):
    for room in (loop, rehearse_room):
        monkeypatch.setattr(room, "probe", lambda model: Verdict("padded", 0.0, "made so by the test"))
    found = rehearse([file], model="tiny", options=TrainOptions(device="cpu"))["tokens"]
    assert (found["saved"], found["computed"]) == (0, found["total"])
    go(file, tmp_path / "D", max_steps=2)
    rows = [r for r in metrics(tmp_path / "D") if "plaudit/computed_tokens" in r]
    assert rows
    assert sum(r["plaudit/computed_tokens"] for r in rows) == rows[-1]["num_tokens"]


def test_fractions_of_an_epoch(tmp_path, file):
    run = go(file, tmp_path / "D", epochs=0.5, max_steps=0, batch_size=4, held_out=0)
    assert run["steps"] == 4
    assert go(file, tmp_path / "E", epochs=2.0, max_steps=0, batch_size=64, held_out=0)["steps"] == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"report_to": "tensorbord,nobody"}, "unknown tracker 'tensorbord' (did you mean 'tensorboard'?)"),
        ({"loss_options": {"topk": 2}, "list_loss": "plackett_luce"}, "'topk' (did you mean 'top_k'?)"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"device": "cuda:99"}, "cuda:99 is not here"),
        ({"lora_targets": "nothing", "tuning": "lora"}, "lora_targets"),
        ({"max_length": 999999}, "beyond the model's 4096 positions"),
        ({"rating": "quality"}, "no row carries 'quality'"),
        ({"eval": "missing.jsonl"}, "missing.jsonl"),
        ({"lora_r": 4}, "--lora-r does nothing without --tuning lora"),
        ({"margin": "constant", "margin_decay": 0.5}, "--margin-decay does nothing without --margin running"),
        ({"contrastive": "simcse", "contrastive_prototypes": 9}, "does nothing without --contrastive swav"),
        ({"list_loss": "plackett_luce", "loss_options": {"top_k": 0}}, "at least 1, not 0"),
        ({"list_loss": "plackett_luce", "loss_options": {"top_k": 1.5}}, "whole number of places"),
        ({"held_out": 0, "early_stopping_patience": 2}, "early_stopping_patience does nothing: no preference is held"),
        ({"held_out": 0, "metric_for_best_model": "accuracy"}, "metric_for_best_model does nothing"),
        ({"eval": "x.jsonl", "held_out": 0.3}, "held_out does nothing beside --eval"),
        ({"pointwise_coefficient": 0, "rating": "stars"}, "rating does nothing with --pointwise-coefficient 0"),
        ({"lr_scheduler_type": "constant", "min_lr_ratio": 0.5}, "min_lr_ratio does nothing"),
        ({"loss": "rao_kupper", "loss_options": {"a": 0, "prior": 5}}, "prior does nothing where a is fixed"),
    ],
)
def test_what_cannot_be_done_is_said_before_a_folder_appears(tmp_path, file, how, words):
    with pytest.raises(PlauditError) as caught:
        go(file, tmp_path / "D", **how)
    assert words in str(caught.value)
    assert not (tmp_path / "D").exists()


def test_a_list_loss_names_the_columns_it_would_leave_unread_before_the_first_step(tmp_path):
    rows = [row | {"target": 0.8} for row in lists(6)]
    with pytest.raises(OptionError, match="plackett_luce does not read 'target'"):
        go(write(tmp_path / "a.jsonl", rows), tmp_path / "D", list_loss="plackett_luce")


def test_labels_that_bce_cannot_take_name_their_row(tmp_path):
    say = lambda role, text: [{"role": role, "content": text}]  # noqa: E731
    rows = [
        {
            "prompt": say("user", f"q{i}"),
            "responses": [say("assistant", f"a {i}")],
            "ranks": None,
            "ratings": [{"stars": i}],
        }
        for i in range(4)
    ]
    file = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(OptionError, match=r"a.jsonl:3: bce takes labels from 0 to 1, not stars 2"):
        go(file, tmp_path / "D", point_loss="bce")


def test_what_would_teach_nothing_is_left_out_in_words_or_refused(tmp_path):
    say = lambda text: [{"role": "assistant", "content": text}]  # noqa: E731
    tied = {"prompt": "Rice?", "responses": [say("a"), say("b"), say("c")], "ranks": [0, 0, 0]}
    file = write(tmp_path / "a.jsonl", [tied | {"prompt": [{"role": "user", "content": "Rice?"}]}])
    go([write(tmp_path / "b.jsonl", pairs(4)), file], tmp_path / "D", max_steps=1, held_out=0)
    assert "responses all tie" in (tmp_path / "D" / "dropped.jsonl").read_text()
    lone = write(tmp_path / "c.jsonl", rated(6))
    run = go([str(tmp_path / "b.jsonl"), lone], tmp_path / "E", max_steps=1, held_out=0, pointwise_coefficient=0)
    assert (run["rows"]["train"], run["rows"]["dropped"]) == (4, 6)
    assert "no rating that is trained on" in (tmp_path / "E" / "dropped.jsonl").read_text()
    with pytest.raises(PlauditError, match="no preference is left"):
        go(lone, tmp_path / "F", pointwise_coefficient=0)
    with pytest.raises(PlauditError, match="weighs 0, so nothing would be learned"):
        go(f"{lone}:0", tmp_path / "F")


def test_a_folder_in_use_and_nothing_to_train_on(tmp_path, file):
    go(file, tmp_path / "D", max_steps=1)
    with pytest.raises(PlauditError, match=r"is not empty\n.*--resume goes on with it; or choose"):
        go(file, tmp_path / "D")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(PlauditError, match=r"is not empty\n\s*choose another"):  # no run to go on with
        go(file, tmp_path / "other")
    with pytest.raises(PlauditError, match="is a file"):
        go(file, tmp_path / "pairs.jsonl")
    with pytest.raises(PlauditError, match="pairs.jsonl/D: cannot be made: Not a directory"):
        go(file, tmp_path / "pairs.jsonl" / "D")
    with pytest.raises(PlauditError, match=r"no preference is left(.|\n)*first of 30.*pairs.jsonl.* do not fit 8"):
        go(file, tmp_path / "E", max_length=8)
    (tmp_path / "empty.jsonl").write_text("broken\n")
    with pytest.raises(PlauditError, match="no preference is left"):
        go(str(tmp_path / "empty.jsonl"), tmp_path / "E")


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path, file):
    for name, seed in {"a": 0, "b": 0, "c": 1}.items():
        go(file, tmp_path / name, seed=seed)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))
