"""Where metrics go: always `metrics.jsonl` and `curves.svg`, beside them any tracker asked for by name."""

import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from plaudit.errors import OptionError
from plaudit.folders import write_file
from plaudit.report import svg


def step_values(sums: Mapping[str, float], run: Mapping[str, float]) -> dict[str, float]:
    """What the log says of a step, from the sums of `training/steps` and where the run stands.

    TRL's names where it has them; ours, and what a part of a step reports under its own name, begin with `plaudit/`.
    """
    compared = sums["compared"]
    values = {
        "loss": sums["loss_sum"],
        "plaudit/plain_loss": sums["plain_sum"] / sums["plain_weight"] if sums["plain_weight"] else math.nan,
        "accuracy": sums["accurate"] / compared if compared else math.nan,
        "margin": sums["margin_sum"] / compared if compared else math.nan,
        "min_reward": sums["reward_min"], "mean_reward": sums["reward_sum"] / max(sums["n"], 1),
        "max_reward": sums["reward_max"], "grad_norm": sums["grad_norm"], "learning_rate": run["learning_rate"],
        "num_tokens": run["num_tokens"], "plaudit/computed_tokens": int(sums["tokens"]), "epoch": run["epoch"],
    }  # fmt: skip
    return values | {name: value for name, value in sums.items() if name.startswith("plaudit/")}


class Sink(Protocol):
    """What a tracker must do."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...
    def close(self) -> None: ...


class Metrics:
    """The run's own log: one JSON object a line, appended as training goes; a resumed run cuts what lies ahead."""

    def __init__(self, folder: Path, *, upto: int | None = None) -> None:
        self.path, self.folder = folder / "metrics.jsonl", folder
        lines: list[dict] = []
        if upto is not None and self.path.exists():
            lines = [row for row in read_metrics(self.path) if row["step"] <= upto]
        write_file(self.path, b"".join(json.dumps(row).encode() + b"\n" for row in lines))
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 (lives as long as the run)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        write_file(self.folder / "curves.svg", svg.curves(read_metrics(self.path)).encode())


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file; a last line that was cut off by a crash is left out."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


class _Trackio:
    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self._library = import_module("trackio")
        self._library.init(project="plaudit", name=folder.name, config=dict(options))

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._library.log(dict(values), step=step)

    def close(self) -> None:
        self._library.finish()


class _Tensorboard:
    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self._writer = import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb(_Trackio):
    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self._library = import_module("wandb")
        self._library.init(project="plaudit", name=folder.name, config=dict(options), dir=str(folder))


SINKS: dict[str, Any] = {"trackio": _Trackio, "tensorboard": _Tensorboard, "wandb": _Wandb}


def check_sinks(names: str) -> None:
    """Refuse trackers that nobody knows or that are not installed, before anything else is done.

    Raises:
        OptionError: every one of them, with what to do.
    """
    mistakes, missing = [], []
    for name in _names(names):
        if name not in SINKS:
            near = get_close_matches(name, SINKS, 1)
            mistakes.append(f"report_to: unknown tracker {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        elif find_spec(name) is None:
            missing.append(f"report_to: {name} is not installed")
    if mistakes or missing:
        advice = "known: " + ", ".join(SINKS) + ("; pip install 'plaudit[track]'" if missing else "")
        raise OptionError(mistakes + missing, advice=advice)


def sinks(names: str, folder: Path, options: Mapping[str, Any]) -> list[Sink]:
    """The trackers named, comma separated."""
    return [SINKS[name](folder, options) for name in _names(names)]


def _names(names: str) -> list[str]:
    return [n.strip() for n in names.split(",") if n.strip()]
