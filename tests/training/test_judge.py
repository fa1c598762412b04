"""Held-out losses: plain, as trained, and what the best checkpoint of a run is best in."""

import json
import math
from functools import partial, wraps

import numpy as np
import pytest
import torch

from plaudit.errors import OptionError
from plaudit.evaluation.evaluate import evaluate
from plaudit.losses import plackett_luce
from plaudit.models.forward import Reader
from plaudit.models.score import scores
from plaudit.rewards.load import load
from plaudit.training import judge as judge_room
from plaudit.training.judge import better, judge, temperature
from plaudit.training.labels import labels_for
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import prepare
from plaudit.training.rehearse import rehearse
from plaudit.training.start import objective_for, ready
from plaudit.training.steps.plain import Diverged
from small_runs import go, lists, metrics, pairs, rated, write


def judged(tmp_path, rows, **options):
    """Metrics of `tiny` on these rows, its scores of them, and their columns."""
    asked = TrainOptions(held_out=0, device="cpu", **options)
    loaded, objective = ready("tiny", asked), objective_for(asked)
    with torch.no_grad():
        loaded.model.score.weight *= 100  # so that differences matter
    part = prepare([write(tmp_path / "judged.jsonl", rows)], loaded.policy, asked).train
    reader = Reader(loaded.model)
    found = judge(reader, part, asked, objective, labels_for(part.columns, asked, objective))
    return found, scores(reader, part.encoded), part.columns


@pytest.mark.slow
def test_labels_are_judged_by_the_loss_they_are_trained_by(tmp_path):
    files = write(tmp_path / "a.jsonl", rated(24)), write(tmp_path / "h.jsonl", rated(32)[24:])
    how = {"max_steps": 8, "batch_size": 8, "eval": files[1], "eval_steps": 1, "learning_rate": 3e-3}
    run = go(files[0], tmp_path / "D", point_loss="bce", **how)
    scorer = load(str(tmp_path / "D" / "final"))
    logits = [scorer.score(row["prompt"], [row["completion"]])[0] for row in rated(32)[24:]]
    losses = [np.logaddexp(0, -s if row["label"] else s) for s, row in zip(logits, rated(32)[24:], strict=True)]
    assert run["held_out"]["eval_loss"] == pytest.approx(np.mean(losses), abs=1e-4)
    seen = {row["step"]: row["eval_loss"] for row in metrics(tmp_path / "D") if "eval_loss" in row}
    assert run["held_out"]["step"] == min(seen, key=seen.get)
    other = go(files[0], tmp_path / "E", **how)["held_out"]
    assert other["eval_loss"] == other["plaudit/eval_trained_loss"] == other["plaudit/eval_point_loss"]


def test_a_checkpoint_knows_the_temperature_of_its_scores(tmp_path):
    """The T of least held-out log loss, by trial; it is the one that a checkpoint's card carries."""
    swapped = [r | {"chosen": r["rejected"], "rejected": r["chosen"]} if i % 4 == 0 else r
               for i, r in enumerate(pairs(40))]  # fmt: skip
    found, values, _ = judged(tmp_path, swapped)
    gap = np.array([v[0] - v[1] for v in values], float)
    sign = 1.0 if (gap > 0).mean() >= 0.5 else -1.0
    costs = {t: np.logaddexp(0, -sign * gap / t).mean() for t in np.geomspace(0.01, 1e4, 12_001)}
    assert temperature(sign * gap) == pytest.approx(min(costs, key=costs.get), rel=5e-3)
    assert found.get("plaudit/eval_temperature", np.inf) == pytest.approx(temperature(gap))
    files = write(tmp_path / "a.jsonl", pairs(32)), write(tmp_path / "h.jsonl", swapped)
    run = go(files[0], tmp_path / "D", eval=files[1], max_steps=12, learning_rate=3e-3)
    card = json.loads((tmp_path / "D/final/plaudit.json").read_text())
    assert card["calibration"] == {"temperature": run["held_out"]["plaudit/eval_temperature"], "source": "held-out"}


def test_the_temperature_heeds_weights_and_soft_labels():
    gap, belief, weight = np.array([2.0, 1.0, -0.5, 3.0]), np.array([0.9, 0.7, 0.6, 1.0]), np.array([1.0, 5, 2, 0.5])
    costs = {
        t: (weight * (belief * np.logaddexp(0, -gap / t) + (1 - belief) * np.logaddexp(0, gap / t))).sum()
        for t in np.geomspace(0.1, 100, 20_001)
    }
    assert temperature(gap, belief, weight) == pytest.approx(min(costs, key=costs.get), rel=1e-3)
    assert temperature(gap, weight=np.full(4, 2.0)) == pytest.approx(temperature(gap))
    assert temperature(np.array([1.0, -9.0]), weight=np.array([1.0, 0])) == temperature(np.array([1.0]))
    assert math.isnan(temperature(gap, belief, 0 * weight))


def test_lists_are_judged_a_slice_at_a_time(tmp_path, monkeypatch):
    """Plackett-Luce takes memory with the square of the responses it sees; the sums are those of one batch."""
    seen = []
    real = plackett_luce.loss

    @wraps(real)
    def watched(**columns):
        seen.append(len(columns["scores"]))
        return real(**columns)

    monkeypatch.setattr(plackett_luce, "loss", watched)
    whole, _, _ = judged(tmp_path, lists(12), list_loss="plackett_luce")
    most = max(seen)
    monkeypatch.setattr(judge_room, "_slices", partial(judge_room._slices, size=4))
    seen.clear()
    cut, _, _ = judged(tmp_path, lists(12), list_loss="plackett_luce")
    assert max(seen) < most / 2
    assert cut == pytest.approx(whole, rel=1e-5)


def test_pairs_and_ratings_choose_together(tmp_path):
    files = [write(tmp_path / "p.jsonl", pairs(20)), write(tmp_path / "r.jsonl", rated(20))]
    how = {"held_out": 0.4, "eval_steps": 1, "max_steps": 6, "learning_rate": 3e-3, "point_loss": "bce"}
    run = go(files, tmp_path / "D", pointwise_coefficient=5.0, **how)
    seen = {row["step"]: row for row in metrics(tmp_path / "D") if "eval_loss" in row}
    for row in seen.values():
        both = row["eval_loss"] + 5 * row["plaudit/eval_point_loss"]
        assert row["plaudit/eval_mixed_loss"] == pytest.approx(both)
        assert row["plaudit/eval_trained_loss"] == pytest.approx(both, rel=1e-5)  # nothing else is asked here
    assert run["held_out"]["step"] == min(seen, key=lambda step: seen[step]["plaudit/eval_mixed_loss"])


def test_what_is_better():
    pair, both = {"eval_loss": 0.5}, {"eval_loss": 0.5, "plaudit/eval_mixed_loss": 2.0}
    assert better(both, None, "loss")
    assert better({"eval_loss": 0.6, "plaudit/eval_mixed_loss": 1.0}, both, "loss")
    assert not better({"eval_loss": 0.4, "plaudit/eval_mixed_loss": 3.0}, both, "loss")
    assert not better({"eval_loss": 0.4, "plaudit/eval_mixed_loss": 3.0}, pair, "loss")  # from an older checkpoint
    assert better({"eval_accuracy": 0.8}, {"eval_accuracy": 0.7}, "accuracy")
    assert not better({}, None, "loss")


def test_the_loss_as_trained_reads_targets_margins_and_lists(tmp_path):
    rows = pairs(6, target=lambda i: [1.0, 0.2][i % 2], margin=lambda i: i / 3, weight=lambda i: 1.0 + i % 3)
    found, values, c = judged(tmp_path, rows)
    gap = np.array([v[b] - v[w] for v, b, w in zip(values, c.better, c.worse, strict=True)]) - c.margin
    each = c.target * np.logaddexp(0, -gap) + (1 - c.target) * np.logaddexp(0, gap)
    expected = (c.weight * each).sum() / c.weight.sum()
    assert found["plaudit/eval_trained_loss"] == pytest.approx(float(expected), abs=1e-5)
    assert found["plaudit/eval_trained_loss"] != pytest.approx(found["eval_loss"], abs=1e-2)
    plain, *_ = judged(tmp_path, pairs(6))
    assert plain["plaudit/eval_trained_loss"] == pytest.approx(plain["eval_loss"], rel=1e-5)
    ranked, values, _ = judged(tmp_path, lists(4), list_loss="plackett_luce")
    expected = [np.logaddexp.reduce(v) - v[0] + np.logaddexp(v[1], v[2]) - v[1] for v in np.array(values, float)]
    assert ranked["plaudit/eval_trained_loss"] == pytest.approx(np.mean(expected), abs=1e-5)


def test_the_loss_as_trained_asks_the_margin_that_training_asks(tmp_path):
    plain, *_ = judged(tmp_path, pairs(6))
    found, values, c = judged(tmp_path, pairs(6), margin="constant", margin_scale=2.0)
    gap = np.array([v[b] - v[w] for v, b, w in zip(values, c.better, c.worse, strict=True)])
    assert found["plaudit/eval_trained_loss"] == pytest.approx(np.logaddexp(0, 2 - gap).mean(), abs=1e-5)
    assert found["eval_loss"] == plain["eval_loss"]


def test_what_could_not_be_judged_is_refused_before_the_first_step(tmp_path):
    train, ranked = write(tmp_path / "p.jsonl", pairs(8)), [row | {"target": 0.8} for row in lists(4)]
    unread = {"eval": write(tmp_path / "l.jsonl", ranked), "list_loss": "plackett_luce"}
    alone = {"eval": write(tmp_path / "r.jsonl", rated(4)), "metric_for_best_model": "accuracy"}
    for how, words in ((unread, "held out: plackett_luce does not read 'target'"), (alone, "no comparison is held")):
        with pytest.raises(OptionError, match=words):
            go(train, tmp_path / "D", **how)
        with pytest.raises(OptionError, match=words):
            rehearse([train], model="tiny", options=TrainOptions(device="cpu", **how))
        assert not (tmp_path / "D").exists()


def test_held_out_scores_that_are_not_finite_end_the_run(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(12))
    with pytest.raises(Diverged, match=r"after step 1: a held-out score is not finite: .*a.jsonl:\d+"):
        go(file, tmp_path / "D", learning_rate=1e38, max_steps=1, lr_scheduler_type="constant", warmup_ratio=0)
    assert not (tmp_path / "D" / "final").exists()


def test_length_alone_is_that_of_the_final_turn_as_everywhere(tmp_path):
    """A response may hold earlier turns, long on the side whose answer is short."""
    say = lambda *texts: [{"role": ("assistant", "user")[i % 2], "content": t} for i, t in enumerate(texts)]  # noqa: E731
    rows = [
        {"prompt": [{"role": "user", "content": f"q{i}"}], "ranks": [0, 1],
         "responses": [say("Hm.", "Go on.", "A long answer."), say("A very long opening. " * 3, "Go on.", "No.")]}
        for i in range(4)
    ]  # fmt: skip
    run = go(write(tmp_path / "p.jsonl", pairs(8)), tmp_path / "D", eval=(file := write(tmp_path / "m.jsonl", rows)))
    assert run["held_out"]["plaudit/eval_length_only"] == evaluate("length", file).results[0].score == 1
