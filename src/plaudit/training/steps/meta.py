"""MetaRM: learn the labels where the model already tells unlabelled responses of the shifted law apart.

Secrets of RLHF, part II (arXiv 2401.06080), section 5. With meta groups X_s (a prompt and k responses, no labels) and a
batch X_t of preferences:

1. J = mean over prompts of (2 / k²) · sum_{i<j} σ(|r(s_i) - r(s_j)|), how far the model tells responses apart;
2. ascent: θ' = θ + eta · ∇J(θ);
3. the gradient g of the loss at θ', contrastive part, margins and all;
4. descent from the old point: θ ← θ - update(g).

`first` order is the paper's: step 3 is not differentiated through step 2. `exact` does that: the gradient of θ -> L(θ +
eta ∇J(θ)) is g + eta · H g with the Hessian H of J, one more backward pass through a gradient; attention is then
written out, since the fast kernel has no second derivative. To first order L(θ') = L(θ) + eta ∇J · ∇L, and that
product is minimised: -∇L is pulled towards ∇J. A prompt whose responses all tie is dead: J has slope 0 there; they are
counted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from plaudit.models.trees.attention import layout
from plaudit.models.trees.plan import Tree
from plaudit.seeds import seed_for
from plaudit.training.batches import Batch
from plaudit.training.objective import Objective
from plaudit.training.steps._gradient import Around, Ascent, Diverged, gradient
from plaudit.training.steps.plain import finish

Group = tuple[Any, Tensor]  # a tree and the number of each read point's prompt


def difference(scores: Tensor, group: Tensor) -> Tensor:
    """J of every prompt: scores [N], group [N] (0, 1, ...) -> [G].

    >>> difference(torch.zeros(4), torch.tensor([0, 0, 0, 0])).tolist()
    [0.375]
    """
    first, second = _pairs(group)
    told = torch.sigmoid((scores[first] - scores[second]).abs())
    size = torch.bincount(group).to(scores)
    return 2 / size**2 * scores.new_zeros(len(size)).index_add(0, group[first], told)


def _pairs(group: Tensor) -> tuple[Tensor, Tensor]:
    """Places of all pairs of one group, each once."""
    together = torch.triu(group[:, None] == group[None], 1)
    first, second = together.nonzero(as_tuple=True)
    return first, second


def step(model: nn.Module, micro: Sequence[Batch], objective: Objective, optimizer, *, around: Around) -> dict:
    """One update; returns the sums of its metrics over all ranks, J and its dead prompts among them.

    Raises:
        Diverged: a quantity was not finite or the loss beyond reason; weights and optimiser are as before.
    """
    whole, ascent = objective.weights_of(micro), around.ascent
    assert ascent is not None
    if whole.empty:
        return {"skipped": 1.0}
    reader = around.accelerator.unwrap_model(model)
    moving = [p for p in reader.parameters() if p.requires_grad]
    groups = ascent.groups.batch(around.step)
    rise, facts = climb(reader, groups, moving, around)
    before = [p.detach().clone() for p in moving]
    _seed(around, "dropout")
    if ascent.eta:
        _shift(moving, rise, ascent.eta)
    try:
        sums, trouble = gradient(model, micro, objective, whole, around=around)
    finally:
        with torch.no_grad():
            for p, old in zip(moving, before, strict=True):
                p.copy_(old)
    trouble = trouble or _unsound(facts)
    if trouble is None and ascent.eta and ascent.order == "exact":
        _correct(reader, groups, moving, ascent, around)
    return finish(model, micro, objective, optimizer, sums | facts, trouble, around=around)


def climb(
    reader: nn.Module, groups: Sequence[Group], moving: Sequence[Tensor], around: Around
) -> tuple[list[Tensor], dict[str, float]]:
    """∇J at the weights as they are, and what the log says, over all ranks."""
    total = sum(int(group.max()) + 1 for _, group in groups)
    rise, value, dead = [torch.zeros_like(p) for p in moving], 0.0, 0
    exact = around.ascent is not None and around.ascent.order == "exact"  # then both draw a model's own dropout alike
    for share, told, group, scores in _shares(reader, groups, total, around, twice=exact):
        for into, grad in zip(rise, torch.autograd.grad(share, moving, allow_unused=True), strict=True):
            if grad is not None:
                into += grad
        value += float(told.detach().double().sum()) / total
        dead += _dead(scores.detach(), group)
    counts = torch.tensor([value, dead], dtype=torch.float64, device=around.accelerator.device)
    sums = around.accelerator.reduce(counts, "sum").tolist()
    rise = [around.accelerator.reduce(g, "sum") for g in rise]
    length = float(torch.stack([g.double().square().sum() for g in rise]).sum().sqrt())
    return rise, {
        "plaudit/meta_difference": sums[0], "plaudit/meta_grad_norm": length, "plaudit/meta_dead": sums[1],
        "plaudit/meta_groups": float(total),
    }  # fmt: skip


def hessian_product(
    reader: nn.Module, groups: Sequence[Group], moving: Sequence[Tensor], along: Sequence[Tensor], around: Around
) -> list[Tensor]:
    """H · along, with the Hessian H of J at the weights as they are, by differentiating the gradient."""
    total = sum(int(group.max()) + 1 for _, group in groups)
    found = [torch.zeros_like(p) for p in moving]
    for share, *_ in _shares(reader, groups, total, around, twice=True):
        slopes = torch.autograd.grad(share, moving, create_graph=True, allow_unused=True)
        product = sum(((g * v).sum() for g, v in zip(slopes, along, strict=True) if g is not None), share * 0)
        for into, grad in zip(found, torch.autograd.grad(product, moving, allow_unused=True), strict=True):
            if grad is not None:
                into += grad
    return [around.accelerator.reduce(g, "sum") for g in found]


def _shares(
    reader: nn.Module, groups: Sequence[Group], total: int, around: Around, *, twice: bool = False
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """This rank's shares of J: (share, J of each prompt, group, scores) of its micro-batches of meta groups."""
    ranks, rank = around.shares
    _seed(around, "meta dropout")
    for tree, group in groups[rank::ranks]:
        laid = tree
        if twice and isinstance(tree, Tree):
            laid = layout(tree, around.accelerator.device)
            laid.twice = True
        with around.accelerator.autocast():
            scores = reader(laid)
        scores = scores if scores.dtype == torch.float64 else scores.float()
        group = group.to(scores.device)
        told = difference(scores, group)
        yield told.sum() / total, told, group, scores


def _correct(
    reader: nn.Module, groups: Sequence[Group], moving: Sequence[Tensor], ascent: Ascent, around: Around
) -> None:
    """Add eta · H g to the gradient g at the shifted weights."""
    along = [torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in moving]
    more = hessian_product(reader, groups, moving, along, around)
    for p, g, extra in zip(moving, along, more, strict=True):
        p.grad = g + ascent.eta * extra


def _shift(moving: Sequence[Tensor], rise: Sequence[Tensor], eta: float) -> None:
    with torch.no_grad():
        for p, g in zip(moving, rise, strict=True):
            p.add_(g, alpha=eta)


def _dead(scores: Tensor, group: Tensor) -> int:
    """Prompts whose responses all have the same score."""
    first, second = _pairs(group)
    told = torch.bincount(group[first], weights=(scores[first] != scores[second]).double())
    return int((told == 0).sum())


def _seed(around: Around, purpose: str) -> None:
    """The model's own dropout, where it is on: a stream for the ascent, and the plain one for the descent."""
    torch.manual_seed(seed_for(around.seed, purpose, around.step, around.shares[1]))


def _unsound(facts: dict[str, float]) -> Diverged | None:
    length = facts["plaudit/meta_grad_norm"]
    return None if torch.isfinite(torch.tensor(length)) else Diverged(f"the meta gradient's norm is {length}")
