"""The contrastive regulariser of a step, over all its responses at once, however they are cut into micro-batches.

L = L_rm + beta · L_cl (Secrets of RLHF, part II, arXiv 2401.06080, section 4), with L_rm the mean of the losses of both
views and L_cl the weighted mean of a view loss over the rows of the set:

- `pairs`: every response that takes part in a comparison, once;
- `difference`: for every comparison the difference of its two vectors, and the same the other way round.

Every row has every other row of the whole step as its negatives. So vectors are collected first, without a graph; the
gradient of L_cl is taken at them once; and each micro-batch is handed its share when it is computed again (GradCache,
Gao et al. 2021, arXiv 2101.06983). Rows of weight 0 are not seen, not even as negatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plaudit import catalog
from plaudit.losses import _contract as contract
from plaudit.seeds import generator
from plaudit.training.batches import Batch
from plaudit.training.options import TrainOptions
from plaudit.training.views import Draw, Kind

BETA = {("simcse", "pairs"): 1.0, ("simcse", "difference"): 1.0, ("swav", "pairs"): 0.1, ("swav", "difference"): 0.5}
PROTOTYPES = {"pairs": 50, "difference": 20}
Rows = tuple[Tensor, Tensor, Tensor]  # slots added, slots taken away (-1: none), weight


@dataclass(frozen=True)
class Contrast:
    """A view loss, the set it is taken on, its weight, its noise, and what it learns."""

    part: ModuleType
    on: str
    beta: float
    kind: Kind
    rate: float
    seed: int
    parameters: nn.ParameterDict
    options: dict[str, Any]

    def draw(self, step: int, batch: Batch) -> Draw:
        """The noise of a micro-batch."""
        return Draw(self.kind, self.rate, self.seed, step, batch.rows)

    def cost(self, vectors: Tensor, micro: Sequence[Batch]) -> tuple[float, Tensor]:
        """L_cl at the step's vectors [2, S, H], and beta times its gradient there.

        Prototypes get the whole of their gradient here: every rank computes the same.
        """
        added, taken, weight = (v.to(vectors.device) for v in rows(micro, self.on))
        if not len(weight):
            return 0.0, torch.zeros_like(vectors)
        free = vectors.detach().requires_grad_()
        zero = torch.cat([free, free.new_zeros(2, 1, free.shape[2])], 1)  # slot -1
        first, second = zero[:, added] - zero[:, taken]
        values = self.part.loss(first, second, **self.options, **self.parameters)
        mean = weight.to(values) @ values / weight.sum().to(values)
        learned = list(self.parameters.values())
        pull, *others = torch.autograd.grad(self.beta * mean, [free, *learned])
        for p, grad in zip(learned, others, strict=True):
            p.grad = grad if p.grad is None else p.grad + grad
        return float(mean.detach()), pull


def rows(micro: Sequence[Batch], on: str) -> Rows:
    """The rows of the set over a whole step, in an order that no cut changes."""
    live = [b.weight > 0 for b in micro]
    place = torch.cat([b.side["place"][k] for b, k in zip(micro, live, strict=True)])
    order = torch.argsort(place)
    better, worse = (
        torch.cat([b.side["slot"].cpu()[getattr(b, side)[k]] for b, k in zip(micro, live, strict=True)])[order]
        for side in ("better", "worse")
    )
    weight = torch.cat([b.weight[k] for b, k in zip(micro, live, strict=True)])[order]
    if on == "difference":
        return torch.cat([better, worse]), torch.cat([worse, better]), torch.cat([weight, weight])
    slots = torch.unique(torch.cat([better, worse]))
    own = torch.zeros(int(slots.max()) + 1 if len(slots) else 0)
    for b in micro:
        own_weight = b.side["own_weight"].cpu()
        inside = b.side["slot"] < len(own)
        own[b.side["slot"][inside]] = own_weight[inside]
    return slots, torch.full_like(slots, -1), own[slots]


def contrast_for(options: TrainOptions, width: int, kind: Kind) -> Contrast | None:
    """The regulariser asked for, its learned tensors drawn from the seed; None when there is none."""
    if options.contrastive == "none":
        return None
    part = catalog.load("plaudit.losses", options.contrastive)
    count = options.contrastive_prototypes or PROTOTYPES[options.contrastive_on]
    learned = nn.ParameterDict()
    for name, shape in part.parameters(width, count).items() if hasattr(part, "parameters") else ():
        start = generator(options.seed, f"contrastive {name}").normal(size=shape).astype(np.float32)
        learned[name] = nn.Parameter(torch.from_numpy(start) / width**0.5)
    beta = options.contrastive_beta
    beta = BETA[options.contrastive, options.contrastive_on] if beta is None else beta
    more = {"temperature": options.contrastive_temperature} if options.contrastive_temperature else {}
    assert contract.kind(part) == "view"
    return Contrast(part, options.contrastive_on, beta, kind, options.contrastive_dropout, options.seed, learned, more)
