"""`plaudit train`: preferences in, a reward model out."""

import os
from math import isclose
from typing import Annotated, Any

from cyclopts import Parameter

from plaudit.training.options import TrainOptions

_QUIET = Parameter(negative="")


def train(
    files: list[str],
    /,
    *,
    model: str,
    output_dir: str,
    options: Annotated[TrainOptions, Parameter(name="*")] = TrainOptions(),  # noqa: B008 (frozen)
    resume: Annotated[bool, _QUIET] = False,
    allow_changes: Annotated[bool, _QUIET] = False,
    layout: str | None = None,
    columns: str = "",
    dry_run: Annotated[bool, _QUIET] = False,
    json: Annotated[bool, _QUIET] = False,
) -> int:
    """Train a reward model.

    Parameters
    ----------
    files:
        Preference files; FILE:WEIGHT multiplies the weight of its rows.
    model:
        Where to start: tiny, minilm-l6, smollm2-135m, a local folder or a hub id.
    output_dir:
        A new folder for checkpoints, final, metrics.jsonl, curves.svg and run.json.
    resume:
        Go on with the run in --output-dir; the result has the same bits as an uninterrupted run.
    allow_changes:
        With --resume: go on although data, model or options are not those the run began with.
    layout:
        Read the files in this layout instead of the one recognised.
    columns:
        Rename columns before reading: prompt=question,chosen=good.
    dry_run:
        Print what would happen (options, rows, tokens, first rendered pair, memory, disk, time) and stop.
    json:
        Print run.json on stdout.
    """
    from plaudit.report import terminal
    from plaudit.training import loop, rehearse

    how: dict[str, Any] = {"model": model, "options": options, "layout": layout, "columns": columns}
    if dry_run:
        found = rehearse.rehearse(files, **how)
        terminal.document(found) if json else rehearse.show(found)
        return 0
    run = loop.train(files, output_dir=output_dir, resume_run=resume, allow_changes=allow_changes, **how)
    if os.environ.get("RANK", "0") != "0":  # one process of several speaks for all
        return 0
    if json:
        terminal.document(run)
        return 0
    _show(run, output_dir)
    return 0


def _show(run: dict[str, Any], output_dir: str) -> None:
    from plaudit.report import terminal

    held = run["held_out"]
    rows = [("steps", run["steps"]), ("trained on", run["rows"]["train"]), ("dropped", run["rows"]["dropped"])]
    if held:
        compared = "eval_accuracy" in held
        rows += [
            ("held out", run["rows"]["held_out"]), ("held-out accuracy", held.get("eval_accuracy")),
            ("length-only accuracy", held.get("plaudit/eval_length_only")),
            (f"held-out loss ({'plain' if compared else run['options']['point_loss']})", held.get("eval_loss")),
        ]  # fmt: skip
        trained = held.get("plaudit/eval_trained_loss")
        if trained is not None and not isclose(trained, held.get("eval_loss") or 0.0, rel_tol=1e-6):
            rows.append(("held-out loss (as trained)", trained))
        rows.append(("best at step", held["step"]))
    terminal.table(f"{output_dir}/final", ["", ""], rows)
    terminal.note(f"next: plaudit doctor {output_dir}/final")
