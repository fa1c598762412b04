"""Checkpoints that resume bit for bit: weights, optimiser and a position. Safetensors and JSON only.

`checkpoint-<step>/` is published whole. It loads as a model of its own (with LoRA: as an adapter); beside it lie
`optimizer.safetensors` (AdamW's moments by parameter name), `state.json` (the position and what training has seen so
far) and `trained.safetensors`: the weights that move and are not in `model.safetensors` under their own names. A run
whose labels or margins move keeps those in `labels.safetensors`.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from plaudit.errors import PlauditError
from plaudit.folders import is_sealed, publish, sealed_folders

OPTIMIZER, STATE, TRAINED, MODEL = "optimizer.safetensors", "state.json", "trained.safetensors", "model.safetensors"
LABELS = "labels.safetensors"
PREFIX = "model."  # Reader.model
Tensors = dict[str, Tensor]


def whole(value: Tensor) -> Tensor:
    """A copy on the CPU; of a sharded tensor all of it, for which every process must call."""
    value = value.detach()
    if hasattr(value, "full_tensor"):
        value = value.full_tensor()
    return value.cpu().clone().contiguous()


def put(place: Any, value: Tensor) -> None:
    """Copy a whole value into a parameter or moment, sharded or not."""
    if hasattr(place, "full_tensor"):
        from torch.distributed.tensor import distribute_tensor

        value = distribute_tensor(value.to(place.device), place.device_mesh, place.placements)
    place.copy_(value)


def moving(model: nn.Module, objective: nn.Module | None = None) -> Tensors:
    """The parameters that training changes, by name: the model's, then the objective's own."""
    for module in model.modules():
        reshard = getattr(module, "reshard", None)
        if callable(reshard):  # FSDP leaves whole copies in place after a forward pass without a backward one
            reshard()
    named: Tensors = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return named | (dict(objective.named_parameters()) if objective is not None else {})


def moments(named: Mapping[str, Tensor], optimizer: Any) -> Tensors:
    """AdamW's state by parameter name, whole: `NAME/exp_avg`, `NAME/exp_avg_sq`, `NAME/step`.

    Of a parameter that has had no gradient yet (a tie parameter before the first pair) zeros, which is where it begins.
    """
    found: Tensors = {}
    for n, p in named.items():
        state = optimizer.state.get(p) or {k: torch.zeros_like(p.detach()) for k in ("exp_avg", "exp_avg_sq")}
        found |= {f"{n}/{key}": whole(value) for key, value in ({"step": torch.zeros(())} | state).items()}
    return found


def restore_moments(named: Mapping[str, Tensor], optimizer: Any, table: Mapping[str, Tensor]) -> None:
    """Put a table of `moments` back."""
    for key, value in table.items():
        name, kind = key.rsplit("/", 1)
        p = named[name]
        place = torch.empty((), dtype=value.dtype, device=p.device) if kind == "step" else torch.empty_like(p.detach())
        put(place, value)
        optimizer.state[p][kind] = place


def save(
    folder: Path, step: int, *, weights: Tensors, moments: Tensors, state: Mapping[str, Any],
    write_model: Callable[[Path], None], labels: Tensors | None = None,
) -> Path:  # fmt: skip
    """Publish `folder/checkpoint-<step>`; `write_model` puts what others load beside the exact state.

    Raises:
        PlauditError: it could not be written; the message names the file, and older checkpoints are as they were.
    """
    target = folder / f"checkpoint-{step}"
    with publish(target, replace=True) as part:
        write_model(part)
        _write(_beside(part, weights), part / TRAINED)
        _write(moments, part / OPTIMIZER)
        if labels is not None:
            _write(labels, part / LABELS)
        text = json.dumps({"step": step, **state}, indent=1, sort_keys=True)
        (part / STATE).write_text(text, encoding="utf-8")
    return target


@contextmanager
def as_system_error(path: Path) -> Iterator[None]:
    """What safetensors' own writer reports, as the error of a system call on that path."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from error


def _write(tensors: Tensors, path: Path) -> None:
    with as_system_error(path):
        save_file(tensors, path)
    path.chmod(0o644)


def write_adapter(part: Path, model: Any, tokenizer: Any) -> None:
    """Adapter and head under the names that peft and others read, small beside a merged model."""
    model.save_pretrained(part, save_embedding_layers=False)
    tokenizer.save_pretrained(part)
    (part / "README.md").unlink(missing_ok=True)  # an empty form
    for path in part.glob("*.safetensors"):
        path.chmod(0o644)


def _beside(part: Path, weights: Tensors) -> Tensors:
    """The weights that `model.safetensors` does not hold, exactly, under their own names."""
    if not (part / MODEL).exists():
        return weights
    held = {}
    with safe_open(part / MODEL, "pt") as file:
        for name in set(file.keys()) & {n.removeprefix(PREFIX) for n in weights}:
            held[PREFIX + name] = file.get_tensor(name)
    return {n: w for n, w in weights.items() if n not in held or not torch.equal(held[n], w)}


def load_weights(checkpoint: Path, names: set[str]) -> Tensors:
    """The weights of a checkpoint that move.

    Raises:
        PlauditError: the checkpoint trains other parameters than `names`.
    """
    found = load_file(checkpoint / TRAINED)
    if (checkpoint / MODEL).exists():
        with safe_open(checkpoint / MODEL, "pt") as file:
            for name in set(file.keys()) & {n.removeprefix(PREFIX) for n in names - set(found)}:
                found[PREFIX + name] = file.get_tensor(name)
    _same_names(checkpoint, set(found), names)
    return found


def newest(folder: Path) -> tuple[Path | None, list[Path]]:
    """(newest checkpoint whose digests hold, folders skipped because theirs do not)."""
    sealed, skipped = sealed_folders(folder, "checkpoint-*")
    while sealed and not is_sealed(sealed[-1], deep=True):
        skipped.append(sealed.pop())
    return (sealed[-1] if sealed else None), skipped


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The position and all that training had seen."""
    return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))


def read_labels(checkpoint: Path) -> Tensors:
    """What the labels of a run were by then.

    Raises:
        PlauditError: the checkpoint is of a run whose labels did not move.
    """
    if not (checkpoint / LABELS).exists():
        raise PlauditError(f"{checkpoint.name} holds no moving labels or margins, which this run has")
    return load_file(checkpoint / LABELS)


def restore(checkpoint: Path, named: Mapping[str, Tensor], optimizer: Any) -> None:
    """Put weights and moments of a checkpoint back, exactly.

    Raises:
        PlauditError: the checkpoint trains other parameters than this run.
    """
    table = load_file(checkpoint / OPTIMIZER)
    _same_names(checkpoint, {key.rsplit("/", 1)[0] for key in table} or set(named), set(named))
    restore_weights(checkpoint, named)
    restore_moments(named, optimizer, table)


def _same_names(checkpoint: Path, found: set[str], names: set[str]) -> None:
    if odd := sorted(found ^ names):
        more = ", ..." if len(odd) > 3 else ""
        raise PlauditError(f"{checkpoint.name} trains other parameters than this run ({', '.join(odd[:3])}{more})")


def restore_weights(checkpoint: Path, named: Mapping[str, Tensor]) -> None:
    """Put the weights of a checkpoint back; every trained one must be there, and nothing else."""
    weights = load_weights(checkpoint, set(named))
    with torch.no_grad():
        for name, p in named.items():
            if weights[name].shape != p.shape:
                was, now = (tuple(v.shape) for v in (weights[name], p))
                raise PlauditError(f"{checkpoint.name} trains {name} of shape {was}, this run {now}")
            put(p, weights[name])


def refuse_lost(best: Path) -> None:
    """Refuse to go by a best checkpoint that is not whole any more: its weights would become `final`.

    Raises:
        PlauditError: it is gone, or its files differ from its seal.
    """
    if not is_sealed(best, deep=True):
        lost = "its seal does not hold" if best.is_dir() else "it is gone"
        advice = "put it back and say --resume, or start anew with another --output-dir"
        raise PlauditError(f"{best}: the best checkpoint of the run, and {lost}", advice=advice)


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is otherwise than when the run began: data, tokenizer, model, options; in words."""
    return [
        f"{part}: {key} was {was[part].get(key)!r}, is {value!r}"
        for part in ("digests", "options")
        for key, value in now[part].items()
        if (part == "options" or key in was[part])  # a digest that an older run did not take tells nothing
        and was[part].get(key) != value
    ]


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written."""
    for path in [*folder.glob(".*.part-*"), *folder.glob(".checkpoint-*.old")]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def prune(folder: Path, keep: int, best: str, now: int | None = None) -> None:
    """Remove old checkpoints until `keep` are left: the newest and the best always, then the next newest.

    Those after step `now` are damaged ones that a resumed run passed over: they are in nobody's place.
    """
    sealed, _ = sealed_folders(folder, "checkpoint-*")
    sealed = [p for p in sealed if now is None or int(p.name.rpartition("-")[2]) <= now]
    names = [p.name for p in reversed(sealed)]
    must = dict.fromkeys([*names[:1], *(n for n in names if n == best)])
    spared = [*must, *(n for n in names if n not in must)][: max(keep, len(must))]
    for path in sealed:
        if path.name not in spared:
            going = path.with_name(f".{path.name}.part-removed")  # hidden first: never half a checkpoint in sight
            os.rename(path, going)
            shutil.rmtree(going)
