"""A run that was stopped, killed or damaged goes on and ends with the bits of a run that never was."""

import json
import shutil
import signal

import pytest

from plaudit.errors import Interrupted, PlauditError
from plaudit.folders import publish
from plaudit.models.backbone import load_backbone
from plaudit.training import loop, track
from plaudit.training.resume import prune
from small_runs import bits, dropping, go, lists, losses, metrics, noise, pairs, rated, write

KINDS = {
    "full": {},
    "dropout": {"model": "dropping", "dropout": True},
    "lora": {"tuning": "lora", "lora_dropout": 0.2},
    "frozen": {"tuning": "frozen"},
    "ties": {"loss": "davidson"},
    "bfloat16": {"dtype": "bfloat16"},
    "views": {"contrastive": "swav", "batch_tokens": 64, "contrastive_dropout": 0.2},
    "moving": {"smoothing_beta": 0.3, "margin": "running", "margin_scale": 2.0},
    "everything": {
        "model": "dropping",
        "dropout": True,
        "contrastive": "swav",
        "contrastive_on": "difference",
        "smoothing_beta": 0.3,
        "margin": "confidence",
        "meta": "GROUPS",
        "meta_eta": 0.3,
        "loss": "davidson",
        "batch_tokens": 64,
        "tuning": "lora",
    },
    "treated": {
        "contrastive": "simcse",
        "meta": "GROUPS",
        "meta_eta": 0.3,
        "smoothing_beta": 0.3,
        "margin": "running",
        "batch_tokens": 64,
    },
    "exact": {"meta": "GROUPS", "meta_eta": 0.3, "meta_order": "exact", "model": "dropping", "dropout": True},
    "weighty": {"weight_decay": 0.1, "batch_tokens": 64, "gradient_checkpointing": True},
}
HOW = {"max_steps": 6, "eval_steps": 2, "save_steps": 1, "save_total_limit": 99, "batch_size": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return dropping(tmp_path_factory.mktemp("models") / "dropping")


def cut(folder, at, step):
    """A copy of a finished run as it stood at a step: later checkpoints and the end removed."""
    shutil.copytree(folder, at)
    for path in at.glob("checkpoint-*"):
        if int(path.name.split("-")[1]) > step:
            shutil.rmtree(path)
    shutil.rmtree(at / "final")
    (at / "run.json").unlink()
    return at


@pytest.mark.parametrize("kind", [k if k == "full" else pytest.param(k, marks=pytest.mark.slow) for k in KINDS])
def test_resumed_from_any_step_a_run_ends_with_the_same_bits(tmp_path, model, kind):
    rows = noise(16)
    if kind == "treated":  # as repair leaves them: believed by halves, asked for more, weighed
        rows = [r | {"target": 0.8, "margin": i % 3 - 0.5, "weight": 0.5 + i % 2} for i, r in enumerate(rows)]
    file = write(tmp_path / "a.jsonl", rows)
    how = HOW | KINDS[kind]
    if "model" in how:
        how["model"] = model
    if "meta" in how:
        how["meta"] = write(tmp_path / "m.jsonl", lists(7))
    run = go(file, tmp_path / "D", **how)
    if kind == "treated":
        for column in ("target", "margin", "weight"):  # each of them is read beside the rest
            less = write(tmp_path / "b.jsonl", [{k: v for k, v in r.items() if k != column} for r in rows])
            go(less, tmp_path / column, **how)
            assert bits(tmp_path / column) != bits(tmp_path / "D"), column
    for step in (0, 3, 6):
        again = go(file, cut(tmp_path / "D", tmp_path / f"D{step}", step), resume_run=True, **how)
        assert bits(tmp_path / f"D{step}") == bits(tmp_path / "D"), step
        assert again | {"seconds": 0} == run | {"seconds": 0}
        numbers = [row["step"] for row in metrics(tmp_path / f"D{step}") if "loss" in row]
        assert numbers == [1, 2, 3, 4, 5, 6]


def test_early_stopping_is_remembered(tmp_path):
    file = write(tmp_path / "a.jsonl", noise(40))
    how = {"eval_steps": 1, "early_stopping_patience": 2, "max_steps": 40, "learning_rate": 5e-2}
    run = go(file, tmp_path / "D", **how)
    assert run["steps"] < 40
    again = go(file, cut(tmp_path / "D", tmp_path / "E", run["steps"]), resume_run=True, **how)
    assert again | {"seconds": 0} == run | {"seconds": 0}
    assert bits(tmp_path / "E") == bits(tmp_path / "D")


class Stopper:
    """A tracker that presses Ctrl-C, as often as it is told, when step 3 is logged."""

    times = 1

    def __init__(self, folder, options):
        pass

    def log(self, values, step):
        if step == 3 and "loss" in values:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def close(self):
        pass


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_a_resumable_run(tmp_path, monkeypatch, times):
    monkeypatch.setitem(track.SINKS, "json", Stopper)
    monkeypatch.setattr(Stopper, "times", times)
    file = write(tmp_path / "a.jsonl", pairs(16))
    how = {"max_steps": 6, "eval_steps": 2}
    go(file, tmp_path / "D", **how)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted if times == 1 else KeyboardInterrupt) as caught:
        go(file, tmp_path / "E", report_to="json", **how)
    assert signal.getsignal(signal.SIGINT) is before
    newest = max(p.name for p in (tmp_path / "E").glob("checkpoint-*"))
    assert newest == ("checkpoint-3" if times == 1 else "checkpoint-2")
    if times == 1:
        assert caught.value.exit_status == 130
        assert "after step 3" in str(caught.value)
    go(file, tmp_path / "E", resume_run=True, **how)
    assert bits(tmp_path / "E") == bits(tmp_path / "D")


def test_changes_are_refused_unless_allowed(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(16))
    go(file, tmp_path / "D", max_steps=4)
    other = write(tmp_path / "b.jsonl", pairs(17))
    for files, how, words in [
        (file, {"learning_rate": 3e-3}, "options: learning_rate was 0.001, is 0.003"),
        (other, {}, "digests: train was"),
        (file, {"max_length": 64}, "digests: tokens was"),
        (file, {"max_steps": 9}, "max_steps was 4, is 9"),
    ]:
        with pytest.raises(PlauditError, match="cannot resume") as caught:
            go(files, tmp_path / "D", resume_run=True, **({"max_steps": 4} | how))
        assert words in str(caught.value)
    run = go(file, tmp_path / "D", resume_run=True, allow_changes=True, max_steps=6)
    assert run["steps"] == 6
    assert "resuming although options: max_steps was 4, is 6" in capsys.readouterr().err
    with pytest.raises(PlauditError, match="trains other parameters"):
        go(file, tmp_path / "D", resume_run=True, allow_changes=True, max_steps=8, tuning="frozen")


@pytest.mark.slow
def test_what_a_crash_may_leave(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(16))
    how = {"max_steps": 4, "save_steps": 1, "save_total_limit": 9}
    go(file, tmp_path / "D", **how)
    made = cut(tmp_path / "D", tmp_path / "E", 4)
    (made / ".checkpoint-5.part-99").mkdir()
    (made / ".metrics.jsonl.part-99").write_text("half")
    weights = made / "checkpoint-4" / "optimizer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")  # a flipped byte that keeps the size
    (made / "checkpoint-3" / "state.json").unlink()
    with open(made / "metrics.jsonl", "a") as f:
        f.write('{"step": 5, "los')
    go(file, made, resume_run=True, **how)
    err = capsys.readouterr().err
    assert "skipped checkpoint-4" in err
    assert "skipped checkpoint-3" in err
    assert "resuming from checkpoint-2" in err
    assert bits(made) == bits(tmp_path / "D")
    assert not [p for p in made.iterdir() if p.name.startswith(".")]
    shutil.rmtree(made / "final")
    go(file, made, resume_run=True, **how)
    (made / "run.json").unlink()
    go(file, made, resume_run=True, **how)
    assert json.loads((made / "run.json").read_text())["steps"] == 4
    assert "is finished already" not in err
    go(file, made, resume_run=True, **how)
    assert "is finished already" in capsys.readouterr().err
    assert bits(made) == bits(tmp_path / "D")


def test_without_a_checkpoint_it_starts_again(tmp_path, capsys):
    file = write(tmp_path / "a.jsonl", pairs(16))
    go(file, tmp_path / "D")
    (tmp_path / "E").mkdir()
    (tmp_path / "E" / "metrics.jsonl").write_text('{"step": 1, "loss": 9.0}\n')
    go(file, tmp_path / "E", resume_run=True)
    assert "no checkpoint yet" in capsys.readouterr().err
    assert losses(tmp_path / "E") == losses(tmp_path / "D")


def test_a_tie_parameter_that_has_met_no_pair_yet(tmp_path):
    """Its moments are saved as the zeros from which they begin."""
    file = write(tmp_path / "a.jsonl", rated(8))
    how = {"loss": "rao_kupper", "max_steps": 4, "save_steps": 1, "save_total_limit": 9, "held_out": 0}
    go(file, tmp_path / "D", **how)
    go(file, cut(tmp_path / "D", tmp_path / "E", 2), resume_run=True, **how)
    assert bits(tmp_path / "E") == bits(tmp_path / "D")


@pytest.mark.slow
@pytest.mark.parametrize("done", [11, 12])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_the_best_checkpoint_is_whole_or_the_run_does_not_go_on(tmp_path, harm, done):
    file = write(tmp_path / "a.jsonl", noise(40))
    how = {"max_steps": 12, "eval_steps": 1, "save_steps": 1, "save_total_limit": 99, "learning_rate": 3e-2}
    best = go(file, tmp_path / "D", **how)["held_out"]["step"]
    assert best < 11
    made = cut(tmp_path / "D", tmp_path / "E", done)
    weights = made / f"checkpoint-{best}" / "model.safetensors"
    if harm == "gone":
        shutil.rmtree(weights.parent)
    else:
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(PlauditError, match=f"checkpoint-{best}: the best checkpoint of the run, and it"):
        go(file, made, resume_run=True, **how)
    assert not (made / "final").exists()


@pytest.mark.slow
def test_the_best_of_other_held_out_preferences_is_no_measure(tmp_path, capsys):
    file, easy = write(tmp_path / "a.jsonl", pairs(16)), write(tmp_path / "e.jsonl", pairs(4))
    hard = write(tmp_path / "h.jsonl", [r | {"chosen": r["rejected"], "rejected": r["chosen"]} for r in pairs(4)])
    how = {"eval_steps": 1, "learning_rate": 3e-2, "allow_changes": True, "resume_run": True}
    go(file, tmp_path / "D", eval=easy, max_steps=4, **how)
    run = go(file, tmp_path / "D", eval=hard, max_steps=6, **how)
    assert run["held_out"]["step"] > 4
    assert "no longer the measure" in capsys.readouterr().err


def test_grades_are_part_of_the_data_where_they_are_the_margin(tmp_path):
    one, other = (write(tmp_path / f"{s}.jsonl", pairs(8, strength=s)) for s in (1, 3))
    go(one, tmp_path / "D", max_steps=2, margin="strength")
    with pytest.raises(PlauditError, match="digests: strength was"):
        go(other, tmp_path / "D", max_steps=2, margin="strength", resume_run=True)
    go(one, tmp_path / "E", max_steps=2)
    go(other, tmp_path / "E", max_steps=2, resume_run=True)  # read by nobody


def test_a_longer_run_that_fails_at_its_end_is_not_the_shorter_one(tmp_path, monkeypatch):
    file = write(tmp_path / "a.jsonl", pairs(16))
    go(file, tmp_path / "D", max_steps=2)
    how = {"max_steps": 3, "allow_changes": True, "resume_run": True}
    real = loop.publish

    def full(target, **more):
        if target.name == "final":
            raise PlauditError("no space left")
        return real(target, **more)

    monkeypatch.setattr(loop, "publish", full)
    with pytest.raises(PlauditError, match="no space left"):
        go(file, tmp_path / "D", **how)
    monkeypatch.undo()
    assert go(file, tmp_path / "D", **how)["steps"] == 3


def test_a_damaged_checkpoint_ahead_costs_no_good_one(tmp_path):
    for step in (1, 2, 3, 6):
        with publish(tmp_path / f"checkpoint-{step}") as part:
            (part / "state.json").write_text("{}")
    prune(tmp_path, 1, "", 3)  # step 6 was damaged, and the run went on from 2
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint-3", "checkpoint-6"}


def test_the_checkpoints_of_adapters_know_their_rules(tmp_path):
    file = write(tmp_path / "a.jsonl", pairs(16))
    go(file, tmp_path / "D", tuning="lora", max_length=64, save_steps=2, max_steps=3)
    one, final = (load_backbone(tmp_path / "D" / f) for f in ("checkpoint-2", "final"))
    assert one.policy.max_length == final.policy.max_length == 64
    assert one.facts["groups"] == final.facts["groups"]


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [(3, 6, {4, 5, 6}), (3, 1, {1, 5, 6}), (1, 6, {6}), (1, 2, {2, 6}), (2, 0, {5, 6}), (9, 3, {1, 2, 3, 4, 5, 6})],
)
def test_as_many_checkpoints_are_kept_as_were_asked_for(tmp_path, keep, best, left):
    for step in range(1, 7):
        with publish(tmp_path / f"checkpoint-{step}") as part:
            (part / "state.json").write_text("{}")
    prune(tmp_path, keep, f"checkpoint-{best}" if best else "")
    assert {p.name for p in tmp_path.iterdir()} == {f"checkpoint-{n}" for n in left}
