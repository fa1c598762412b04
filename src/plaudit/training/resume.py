"""Checkpoints that resume bit for bit: weights, optimiser and a position. Safetensors and JSON only.

`checkpoint-<step>/` is published whole. It loads as a model of its own; beside it lie `optimizer.safetensors` (AdamW's
moments by parameter name) and `state.json` (the position and what training has seen so far).
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from plaudit.errors import PlauditError
from plaudit.folders import publish, sealed_folders

OPTIMIZER, STATE, TRAINED = "optimizer.safetensors", "state.json", "trained.safetensors"


def moments(model: nn.Module, optimizer: torch.optim.Optimizer, extra: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """AdamW's state by parameter name: `NAME/exp_avg`, `NAME/exp_avg_sq`, `NAME/step`."""
    names = {id(p): n for n, p in [*model.named_parameters(), *extra.items()]}
    table = {}
    for group in optimizer.param_groups:
        for p in group["params"]:
            for key, value in optimizer.state.get(p, {}).items():
                table[f"{names[id(p)]}/{key}"] = value.detach().cpu().clone().contiguous()
    return table


def restore_moments(
    model: nn.Module, optimizer: torch.optim.Optimizer, extra: Mapping[str, Tensor], table: Mapping[str, Tensor]
) -> None:
    """Put a table of `moments` back."""
    parameters = dict([*model.named_parameters(), *extra.items()])
    for key, value in table.items():
        name, kind = key.rsplit("/", 1)
        p = parameters[name]
        optimizer.state[p][kind] = value.clone() if kind == "step" else value.to(p.device).clone()


def trained(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that move, by name."""
    return {n: p.detach().cpu().clone().contiguous() for n, p in model.named_parameters() if p.requires_grad}


def save(
    folder: Path, step: int, *, model: nn.Module, optimizer, extra: Mapping[str, Tensor], state: Mapping[str, Any],
    write_model: Callable[[Path], None] | None,
) -> Path:  # fmt: skip
    """Publish `folder/checkpoint-<step>`; `write_model` puts the loadable model beside the exact state."""
    target = folder / f"checkpoint-{step}"
    with publish(target, replace=True) as part:
        if write_model:
            write_model(part)
        weights = {**trained(model), **{n: p.detach().cpu() for n, p in extra.items()}}
        save_file(weights, part / TRAINED)
        save_file(moments(model, optimizer, extra), part / OPTIMIZER)
        (part / STATE).write_text(json.dumps({"step": step, **state}, indent=1, sort_keys=True), encoding="utf-8")
    return target


def newest(folder: Path) -> tuple[Path | None, list[Path]]:
    """(newest sealed checkpoint, folders skipped because their seal does not hold)."""
    whole, skipped = sealed_folders(folder, "checkpoint-*")
    return (whole[-1] if whole else None), skipped


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The position and all that training had seen."""
    return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))


def restore(checkpoint: Path, *, model: nn.Module, optimizer, extra: Mapping[str, Tensor]) -> None:
    """Put weights and moments of a checkpoint back, exactly."""
    weights = load_file(checkpoint / TRAINED)
    restore_weights(model, weights, extra)
    restore_moments(model, optimizer, extra, load_file(checkpoint / OPTIMIZER))


def restore_weights(model: nn.Module, weights: Mapping[str, Tensor], extra: Mapping[str, Tensor]) -> None:
    """Copy saved parameters into the model; every trained one must be there, and nothing else."""
    live = {n: p for n, p in model.named_parameters() if p.requires_grad} | dict(extra)
    if set(live) != set(weights):
        odd = sorted(set(live) ^ set(weights))[:3]
        raise PlauditError(f"the checkpoint trains other parameters than this run ({', '.join(odd)}, ...)")
    with torch.no_grad():
        for name, p in live.items():
            p.copy_(weights[name])


def refuse_changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A resumed run goes on with the data, tokenizer and options it began with, or not at all."""
    changed = [
        f"{part}: {key} was {was[part].get(key)!r}, is {value!r}"
        for part in ("digests", "options")
        for key, value in now[part].items()
        if was[part].get(key) != value
    ]
    if changed:
        raise PlauditError(
            "cannot resume, the run was started otherwise:\n  " + "\n  ".join(changed),
            advice="put these back, or start anew with another --output-dir",
        )


def prune(folder: Path, keep: int, best: str) -> None:
    """Remove old checkpoints but the newest `keep` and the best."""
    whole, _ = sealed_folders(folder, "checkpoint-*")
    spared = {p.name for p in whole[-keep:]} if not best else {best, *(p.name for p in whole[-max(keep - 1, 1) :])}
    for path in whole:
        if path.name not in spared:
            shutil.rmtree(path)
