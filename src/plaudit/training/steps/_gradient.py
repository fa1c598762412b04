"""The gradient of a step's whole loss: micro-batch by micro-batch, over all ranks, added into `.grad`.

What a step can only know as a whole (margins from its mean difference, contrastive negatives) is looked up in a pass
without a graph first. A step that is one micro-batch on one rank keeps that pass and saves the second.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plaudit.errors import PlauditError
from plaudit.models.forward import inner
from plaudit.models.heads.scalar import last_layer
from plaudit.training.batches import Batch
from plaudit.training.contrast import Contrast
from plaudit.training.labels import Labels
from plaudit.training.objective import Objective, Weights

if TYPE_CHECKING:
    from plaudit.training.unlabelled import Unlabelled


class Diverged(PlauditError):
    """A score, loss or gradient that is not finite, or a loss beyond reason; its update was not applied."""

    exit_status = 1

    def __init__(self, message: str, *, advice: str = "", rows: Sequence[int] = ()) -> None:
        super().__init__(message, advice=advice)
        self.rows = tuple(rows)


@dataclass(frozen=True)
class Ascent:
    """What MetaRM adds to a step: the meta groups, the step of the ascent, its order."""

    groups: "Unlabelled"
    eta: float
    order: str = "first"


@dataclass(frozen=True)
class Around:
    """What surrounds a step: the accelerator, the norm at which gradients are clipped, its number, the extras.

    `factor`, and the largest loss that the first steps have `seen`, say when a finite loss is one too many (`beyond`).
    """

    accelerator: Any
    max_grad_norm: float
    seed: int = 0
    step: int = 0
    labels: Labels | None = None
    contrast: Contrast | None = None
    ascent: Ascent | None = None
    factor: float = 0.0
    seen: float = 0.0

    @property
    def shares(self) -> tuple[int, int]:
        """(ranks, this rank)."""
        return self.accelerator.num_processes, self.accelerator.process_index


@dataclass
class Sight:
    """What the first pass saw: scores [S] by slot, beta · dL_cl / d vectors [2, S, H], outputs that may be kept."""

    scores: Tensor | None = None
    pull: Tensor | None = None
    kept: Any = None
    facts: dict[str, float] = field(default_factory=dict)


def gradient(
    model: nn.Module, micro: Sequence[Batch], objective: Objective, whole: Weights, *, around: Around
) -> tuple[dict[str, float], Diverged | None]:
    """Add the gradient of the step's loss; returns the sums of its metrics over all ranks, and what was unsound.

    Every rank must call it, and with the same micro-batches.
    """
    accelerator, (ranks, rank) = around.accelerator, around.shares
    mine = list(range(rank, len(micro), ranks))
    idle = len(mine) < -(-len(micro) // ranks)  # every rank must run as many: one that has fewer repeats, for nothing
    sight, micro = _look(model, micro, mine, around)
    seen = torch.zeros(_slots(micro)) if around.labels and around.labels.watches else None
    padded = getattr(accelerator.unwrap_model(model), "way", "tree") == "padded"
    sums: dict[str, float] = {}
    trouble = None  # raised after the last collective call, by all ranks at once
    dearest: tuple[float, tuple[int, ...]] = (-math.inf, ())
    for i, batch in enumerate(micro[k] for k in ([*mine, 0] if idle else mine)):
        last, spare = i == len(mine) - (not idle), i == len(mine)
        with accelerator.no_sync(model) if not last else nullcontext():
            scores, loss, facts = _share(model, batch, objective, whole, sight, around)
            accelerator.backward(loss * (0 if spare else ranks))  # ranks average, the batch's sum is wanted
        if not spare:
            scores = _even(scores).detach()
            trouble = trouble or unsound(scores, "score", batch)
            if trouble is None and not bool(loss.detach().isfinite()):
                rows = [batch.rows[int(g)] for g in objective.culprits(scores, batch)]
                trouble = Diverged(f"a loss is {float(loss.detach())}", rows=rows or batch.rows)
            dearest = max(dearest, (facts["loss_sum"] - facts["blank_sum"], batch.rows))
            if seen is not None:
                seen[batch.side["slot"]] = scores.cpu().float()
        add(sums, (_nothing(facts) if spare else facts | _tokens(batch, padded=padded)))
    sums = gather({**sums, "unsound": float(trouble is not None)}, accelerator)
    if sums.pop("unsound"):
        trouble = trouble or Diverged("another process met a number that is not finite")
    trouble = trouble or beyond(sums, around, dearest[1])
    if trouble is None and seen is not None and around.labels is not None:
        sight.facts |= around.labels.after(micro, _summed(seen, accelerator))
    if around.contrast is not None:
        sums["loss_sum"] += around.contrast.beta * sight.facts["plaudit/contrastive_loss"]
    return sums | sight.facts, trouble


def _look(
    model: nn.Module, micro: Sequence[Batch], mine: Sequence[int], around: Around
) -> tuple[Sight, Sequence[Batch]]:
    """What has to be known of the whole step before its first loss, and the micro-batches with their margins."""
    labels, contrast, sight = around.labels, around.contrast, Sight()
    if contrast is not None or (labels is not None and labels.looks):
        alone = len(micro) == 1 and around.accelerator.num_processes == 1
        scores, vectors, sight.kept = _first_pass(model, micro, mine, around, keep=alone)
        sight.scores = scores
        if contrast is not None and vectors is not None:
            value, sight.pull = contrast.cost(vectors, micro)
            sight.facts = {"plaudit/contrastive_loss": value}
    if labels is not None:
        micro, facts = labels.before(micro, sight.scores)
        sight.facts |= facts
    return sight, micro


def _first_pass(
    model: nn.Module, micro: Sequence[Batch], mine: Sequence[int], around: Around, *, keep: bool
) -> tuple[Tensor, Tensor | None, Any]:
    """Scores [S] and vectors [2, S, H] of the whole step; the random state is left as it was found."""
    device, total = around.accelerator.device, _slots(micro)
    bare = around.accelerator.unwrap_model(model)  # ranks may run unlike numbers of these: no collective calls
    states = (torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)
    scores = torch.zeros(total, device=device)
    vectors: Tensor | None = None
    kept: Any = None
    for k in mine:
        slot = micro[k].side["slot"].to(device)
        with torch.set_grad_enabled(keep):
            kept = _read(bare, micro[k], around)
        scores[slot] = _even(kept[0]).detach().float()
        if kept[1] is not None:
            vectors = scores.new_zeros(2, total, kept[1].shape[-1]) if vectors is None else vectors
            vectors[:, slot] = kept[1].detach()
    if around.contrast is not None and vectors is None:  # a rank without micro-batches
        vectors = scores.new_zeros(2, total, last_layer(inner(bare.model)).in_features)
    if not keep:
        torch.set_rng_state(states[0])
        if states[1] is not None:
            torch.cuda.set_rng_state(states[1], device)
        kept = None
    together = around.accelerator
    return _summed(scores, together), None if vectors is None else _summed(vectors, together), kept


def _read(model: nn.Module, batch: Batch, around: Around) -> tuple[Tensor, Tensor | None]:
    """Scores [R] and no vectors; or, with a contrastive part, scores [2, R] and vectors [2, R, H] of both views."""
    with around.accelerator.autocast():
        if around.contrast is None:
            return model(batch.tree), None
        return model(batch.tree, around.contrast.draw(around.step, batch))


def _share(
    model: nn.Module, batch: Batch, objective: Objective, whole: Weights, sight: Sight, around: Around
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Scores, this micro-batch's share of the loss, and its sums for the log."""
    scores, vectors = sight.kept or _read(model, batch, around)
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if vectors is None:
        return scores, *objective(scores, batch, whole)
    losses, facts = zip(*(objective(view, batch, whole) for view in scores), strict=True)
    loss = (losses[0] + losses[1]) / 2
    if sight.pull is not None:
        pull = sight.pull[:, batch.side["slot"].to(vectors.device)]
        hook = (vectors * pull).sum()
        loss = loss + hook - hook.detach()  # the gradient of beta · L_cl; its value is logged by itself
    return scores, loss, _mean(*facts)


def _mean(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The sums of both views, each counted half; the range covers both."""
    halves = {k: (v + other[k]) / 2 for k, v in one.items()}
    return halves | {
        "reward_min": min(one["reward_min"], other["reward_min"]),
        "reward_max": max(one["reward_max"], other["reward_max"]),
    }


def _even(scores: Tensor) -> Tensor:
    """One score per response: the mean of its views."""
    return scores.mean(0) if scores.ndim == 2 else scores


def _slots(micro: Sequence[Batch]) -> int:
    return sum(len(b.group) for b in micro)


def _summed(values: Tensor, accelerator: Any) -> Tensor:
    """The sum over ranks: each fills its own slots."""
    if accelerator.num_processes == 1:
        return values
    return accelerator.reduce(values.to(accelerator.device), "sum")


def unsound(value: Tensor, quantity: str, batch: Batch) -> Diverged | None:
    """The error for a value that is not finite everywhere, naming the rows it belongs to."""
    finite = torch.isfinite(value.detach())
    if bool(finite.all()):
        return None
    rows = list(batch.rows)
    if value.ndim:
        lost = ~finite.cpu().view(len(value), -1).all(1)
        rows = sorted({batch.rows[int(g)] for g in batch.group[lost]})
    return Diverged(f"a {quantity} is {float(value.detach()[~finite].flatten()[0])}", rows=rows)


def beyond(sums: Mapping[str, float], around: Around, rows: Sequence[int]) -> Diverged | None:
    """The error for a step whose loss is finite and yet beyond reason; `rows` cost the most.

    Reason is `factor` times what the same rows cost a model without an opinion (all scores equal: large margins and
    ratings count there too), or the first steps cost, where a model starts on another scale; at least log 2.
    """
    usual = max(math.log(2), sums["blank_sum"], around.seen)
    if not around.factor or not around.seen or sums["loss_sum"] <= around.factor * usual:
        return None
    message = f"the loss is {sums['loss_sum']:.4g}, more than {around.factor:g} times what is usual here ({usual:.4g})"
    advice = "lower --learning-rate, look at these rows, or raise --divergence-factor (0 lets any finite loss pass)"
    return Diverged(message, advice=advice, rows=rows)


def _tokens(batch: Batch, *, padded: bool = False) -> dict[str, float]:
    """Tokens computed, and tokens the sequences have without sharing: what other trainers count. `padded`: the same."""
    tree = batch.tree
    ends = [tree.node[at] for at in tree.reads]  # an encoder reads its first token: count to the end, not to the read
    alone = sum(tree.depths[s] + tree.spans[s][1] - tree.spans[s][0] for s in ends)
    return {"tokens": alone if padded else len(tree.tokens) - tree.padding, "num_tokens": alone}


def _nothing(facts: dict[str, float]) -> dict[str, float]:
    """The sums of a rank that had nothing to do: every rank must bring the same names."""
    edges = {"reward_min": math.inf, "reward_max": -math.inf}
    return {**dict.fromkeys([*facts, "tokens", "num_tokens"], 0.0), **edges}


def add(sums: dict[str, float], facts: dict[str, float]) -> None:
    """Add the facts of a micro-batch or rank to the sums."""
    for name, value in facts.items():
        if name == "reward_min":
            sums[name] = min(sums.get(name, math.inf), value)
        elif name == "reward_max":
            sums[name] = max(sums.get(name, -math.inf), value)
        else:
            sums[name] = sums.get(name, 0.0) + value


def gather(sums: dict[str, float], accelerator: Any) -> dict[str, float]:
    """The same sums over all ranks, in float64."""
    if accelerator.num_processes == 1:
        return sums
    names = sorted(sums)
    row = torch.tensor([[sums[n] for n in names]], dtype=torch.float64, device=accelerator.device)
    table = accelerator.gather(row).cpu()
    merged: dict[str, float] = {}
    for values in table.tolist():
        add(merged, dict(zip(names, values, strict=True)))
    return merged
