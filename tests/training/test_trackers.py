"""What trackers are told is what metrics.jsonl holds."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from test_loop import pairs, write

from plaudit.training.loop import train
from plaudit.training.options import TrainOptions
from plaudit.training.track import read_metrics


class Library(ModuleType):
    """Stands in for trackio and wandb, which share these three calls."""

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.begun, self.told, self.ended = [], [], 0

    def init(self, **how):
        self.begun.append(how)

    def log(self, values, step):
        self.told.append((step, values))

    def finish(self):
        self.ended += 1


def told(folder):
    """(step, values) of metrics.jsonl."""
    return [(row.pop("step"), row) for row in read_metrics(folder / "metrics.jsonl")]


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_tracker_is_told_every_logged_step_and_closed(tmp_path, monkeypatch, name):
    library = Library(name)
    monkeypatch.setitem(sys.modules, name, library)
    file, folder = write(tmp_path / "a.jsonl", pairs(12)), tmp_path / "run"
    train([file], model="tiny", output_dir=folder, options=TrainOptions(max_steps=3, held_out=0.3, report_to=name))
    assert library.told == told(folder)
    assert [how["name"] for how in library.begun] == ["run"]
    assert library.begun[0]["config"]["max_steps"] == 3
    assert library.ended == 1


def test_tensorboard_holds_the_same_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    file, folder = write(tmp_path / "a.jsonl", pairs(12)), tmp_path / "run"
    options = TrainOptions(max_steps=3, held_out=0.3, report_to="tensorboard")
    train([file], model="tiny", output_dir=folder, options=options)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    for step, values in told(folder):
        for name, value in values.items():
            assert pytest.approx(value, rel=1e-5) in [e.value for e in events.Scalars(name) if e.step == step]
