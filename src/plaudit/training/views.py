"""Two noisy views of every response of a micro-batch: the vectors that the reward head reads, and their scores.

`attention` drops attention weights and takes two passes; `hidden` drops parts of the vector itself and takes one.
Either draw is a pure function of (seed, step, what is read): the cut into micro-batches and the number of processes
change nothing. A model that cannot read token trees has no attention of ours to thin and takes `hidden`.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from plaudit.models.forward import Reader, Way, forward, inner, padded_scores, sequences
from plaudit.models.heads import scalar
from plaudit.models.trees.attention import layout
from plaudit.models.trees.noise import Noise
from plaudit.models.trees.plan import Tree
from plaudit.seeds import generator, seed_for

Kind = Literal["attention", "hidden"]


@dataclass(frozen=True)
class Draw:
    """The noise of one step over one micro-batch: what is dropped, how much, the preferences' places in the data."""

    kind: Kind
    rate: float
    seed: int
    step: int
    rows: tuple[int, ...]


def kind_for(wanted: Kind, way: Way) -> Kind:
    """The noise that a model read this way can take."""
    return wanted if way == "tree" else "hidden"


class Views(Reader):
    """A reader that also reads twice under noise. Without a draw it is `Reader`, bit for bit."""

    def forward(self, tree: Any, draw: Draw | None = None) -> Any:  # type: ignore[override]
        """Scores [R]; or, with a draw, (scores [2, R], vectors [2, R, H]) of both views, in float32."""
        if draw is None:
            return super().forward(tree)
        core = inner(self.model)
        if draw.kind == "hidden":
            read = self._vectors(tree)
            vectors = read[None] * masks(draw, tree, read.shape[1]).to(read.device)
        else:
            device = next(self.model.parameters()).device
            both = []
            for view in (0, 1):
                laid = layout(tree, device)
                seed = seed_for(draw.seed, "view", draw.step, view)
                laid.noise = Noise(tree, rate=draw.rate, seed=seed, device=device)
                both.append(scalar.vectors(core, forward(self.model, laid)[0, 0]))
            vectors = torch.stack(both)
        return scalar.product(core, vectors), vectors

    def _vectors(self, tree: Tree) -> Tensor:
        """What the head reads, without noise: float32 [R, H]."""
        core = inner(self.model)
        if self.way == "tree":
            laid = layout(tree, next(self.model.parameters()).device)
            return scalar.vectors(core, forward(self.model, laid)[0, 0])
        return padded_vectors(self.model, tree)


def padded_vectors(model: Any, tree: Tree) -> Tensor:
    """What the last linear layer is given by the family's own forward at the read points: float32 [R, H]."""
    caught: list[Tensor] = []
    layer = scalar.last_layer(inner(model))
    handle = layer.register_forward_pre_hook(lambda _layer, args: caught.append(args[0]))
    try:
        padded_scores(model, tree)
    finally:
        handle.remove()
    lengths = [len(s) for s in sequences(tree)]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)  # the order in which buckets are filled
    rows = [bucket[i] for bucket in caught for i in range(len(bucket))]
    back: list[Tensor] = [rows[0]] * len(rows)
    for place, row in zip(order, rows, strict=True):  # heads that read every token are read at the last
        back[place] = row if row.ndim == 1 else row[lengths[place] - 1]
    return torch.stack(back).float()


def masks(draw: Draw, tree: Tree, width: int) -> Tensor:
    """[2, R, H]: 0 where a view drops, else 1 / (1 - rate); drawn per response, whatever stands beside it."""
    dense = {owner: i for i, owner in enumerate(tree.records)}
    kept = np.empty((2, len(tree.owner), width), np.float32)
    for r, (owner, which) in enumerate(zip(tree.owner.tolist(), tree.which.tolist(), strict=True)):
        stream = generator(draw.seed, "view", draw.step, draw.rows[dense[owner]], which)
        kept[:, r] = stream.random((2, width)) >= draw.rate
    return torch.from_numpy(kept / np.float32(1 - draw.rate))
