"""Plain gradient descent on the objective: forward and backward per micro-batch, then one guarded update."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from plaudit.training.batches import Batch
from plaudit.training.objective import Objective
from plaudit.training.steps._gradient import Around, Diverged, gather, gradient, unsound

__all__ = ["Around", "Diverged", "finish", "gather", "step", "unsound"]


def step(model: nn.Module, micro: Sequence[Batch], objective: Objective, optimizer, *, around: Around) -> dict:
    """One update from all micro-batches of one batch; returns the sums of its metrics over all ranks.

    Raises:
        Diverged: a quantity was not finite or the loss beyond reason; weights and optimiser are as before.
    """
    whole = objective.weights_of(micro)
    if whole.empty:
        return {"skipped": 1.0}
    sums, trouble = gradient(model, micro, objective, whole, around=around)
    return finish(model, micro, objective, optimizer, sums, trouble, around=around)


def finish(
    model: nn.Module, micro: Sequence[Batch], objective: Objective, optimizer, sums: dict, trouble: Diverged | None,
    *, around: Around,
) -> dict:  # fmt: skip
    """Clip what `gradient` left in `.grad` and update, or raise; the sums with the gradient's norm."""
    norm = _clip(model, objective, around)
    if trouble or not math.isfinite(norm):
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
        some = around.accelerator.reduce(torch.tensor(float(p.grad is not None), device=p.device), "sum")
        grad = around.accelerator.reduce(torch.zeros_like(p) if p.grad is None else p.grad, "mean")
        p.grad = grad if some else None  # a step without comparisons moves nothing, as in one process
    parameters = [p for p in model.parameters() if p.requires_grad] + learned
    norm = around.accelerator.clip_grad_norm_(parameters, around.max_grad_norm or math.inf)
    return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)


def _unsound_gradient(model: nn.Module, micro: Sequence[Batch], norm: float) -> Diverged:
    names = [n for n, p in model.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())][:3]
    rows = sorted({r for b in micro for r in b.rows})
    return Diverged(f"the gradient's norm is {norm}{' in ' + ', '.join(names) if names else ''}", rows=rows)
