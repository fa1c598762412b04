"""Plain gradient descent on the objective: forward and backward per micro-batch, then one guarded update."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from plaudit.errors import PlauditError
from plaudit.training.batches import Batch
from plaudit.training.objective import Objective


class Diverged(PlauditError):
    """A score, loss or gradient that is not finite; the update it belongs to was not applied."""

    exit_status = 1

    def __init__(self, message: str, *, advice: str = "", rows: Sequence[int] = ()) -> None:
        super().__init__(message, advice=advice)
        self.rows = tuple(rows)


@dataclass(frozen=True)
class Around:
    """What surrounds a step: the accelerator, the rank's place, and the norm at which gradients are clipped."""

    accelerator: Any
    max_grad_norm: float


def step(model: nn.Module, micro: Sequence[Batch], objective: Objective, optimizer, *, around: Around) -> dict:
    """One update from all micro-batches of one batch; returns the sums of its metrics over all ranks.

    Raises:
        Diverged: a quantity was not finite; weights and optimiser are as before.
    """
    accelerator = around.accelerator
    ranks, rank = accelerator.num_processes, accelerator.process_index
    whole = objective.weights_of(micro)
    if whole.empty:
        return {"skipped": 1.0}
    mine = micro[rank::ranks]
    idle = len(mine) < -(-len(micro) // ranks)  # every rank must run as many: one that has fewer repeats, for nothing
    sums: dict[str, float] = {}
    trouble = None  # raised after the last collective call, by all ranks at once
    for i, batch in enumerate([*mine, micro[0]] if idle else mine):
        last, spare = i == len(mine) - (not idle), i == len(mine)
        with accelerator.no_sync(model) if not last else nullcontext():
            with accelerator.autocast():
                scores = model(batch.tree)
            loss, facts = objective(scores.float(), batch, whole)
            accelerator.backward(loss * (0 if spare else ranks))  # ranks average, the batch's sum is wanted
        if not spare:
            trouble = trouble or unsound(scores, "score", batch) or unsound(loss, "loss", batch)
        _add(sums, (_nothing(facts) if spare else facts | _tokens(batch)))
    sums = gather({**sums, "unsound": float(trouble is not None)}, accelerator)
    norm = _clip(model, objective, around)
    if sums.pop("unsound") or not math.isfinite(norm):
        trouble = trouble or _unsound_gradient(model, micro, norm)
        optimizer.zero_grad(set_to_none=True)
        raise trouble
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {**sums, "grad_norm": norm}


def _clip(model: nn.Module, objective: Objective, around: Around) -> float:
    """Clip the gradients of all that moves and return their norm before that."""
    learned = list(objective.parameters.values())  # outside the wrapped model: their gradients are averaged here
    for p in learned if around.accelerator.num_processes > 1 else []:
        p.grad = around.accelerator.reduce(torch.zeros_like(p) if p.grad is None else p.grad, "mean")
    parameters = [p for p in model.parameters() if p.requires_grad] + learned
    norm = around.accelerator.clip_grad_norm_(parameters, around.max_grad_norm or math.inf)
    return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)


def unsound(value: torch.Tensor, quantity: str, batch: Batch) -> Diverged | None:
    """The error for a value that is not finite everywhere, naming the rows it belongs to."""
    finite = torch.isfinite(value.detach())
    if bool(finite.all()):
        return None
    rows = list(batch.rows)
    if value.ndim:
        lost = ~finite.cpu().view(len(value), -1).all(1)
        rows = sorted({batch.rows[int(g)] for g in batch.group[lost]})
    return Diverged(f"a {quantity} is {float(value.detach()[~finite].flatten()[0])}", rows=rows)


def _unsound_gradient(model: nn.Module, micro: Sequence[Batch], norm: float) -> Diverged:
    names = [n for n, p in model.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())][:3]
    rows = sorted({r for b in micro for r in b.rows})
    return Diverged(f"the gradient's norm is {norm}{' in ' + ', '.join(names) if names else ''}", rows=rows)


def _tokens(batch: Batch) -> dict[str, float]:
    """Tokens computed, and tokens the sequences have without sharing: what other trainers count."""
    depth = batch.tree.position[batch.tree.reads] + 1
    return {"tokens": len(batch.tree.tokens) - batch.tree.padding, "num_tokens": int(depth.sum())}


def _nothing(facts: dict[str, float]) -> dict[str, float]:
    """The sums of a rank that had nothing to do: every rank must bring the same names."""
    edges = {"reward_min": math.inf, "reward_max": -math.inf}
    return {**dict.fromkeys([*facts, "tokens", "num_tokens"], 0.0), **edges}


def _add(sums: dict[str, float], facts: dict[str, float]) -> None:
    for name, value in facts.items():
        if name == "reward_min":
            sums[name] = min(sums.get(name, math.inf), value)
        elif name == "reward_max":
            sums[name] = max(sums.get(name, -math.inf), value)
        else:
            sums[name] = sums.get(name, 0.0) + value


def gather(sums: dict[str, float], accelerator) -> dict[str, float]:
    """The same sums over all ranks, in float64."""
    if accelerator.num_processes == 1:
        return sums
    names = sorted(sums)
    row = torch.tensor([[sums[n] for n in names]], dtype=torch.float64, device=accelerator.device)
    table = accelerator.gather(row).cpu()
    merged: dict[str, float] = {}
    for values in table.tolist():
        _add(merged, dict(zip(names, values, strict=True)))
    return merged
