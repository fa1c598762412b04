"""What the members of a committee look at, and how a fitted member scores: views of features, linear and MLP heads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu

from plaudit.data.outline import marks
from plaudit.models.features import Features
from plaudit.records import Preference

Kind = Literal["linear", "mlp"]
BLOCK = 4096  # responses that an MLP scores at once


@dataclass(frozen=True)
class View:
    """One set of features: a layer and pooling of trunk number `trunk`, or (`trunk` -1) what length alone tells.

    >>> str(View(0, 21, "mean")), str(LENGTH)
    ('trunk 0, layer 21, mean', 'length')
    """

    trunk: int
    layer: int = 0
    pool: Literal["read", "mean"] = "read"

    def __str__(self) -> str:
        return "length" if self.trunk < 0 else f"trunk {self.trunk}, layer {self.layer}, {self.pool}"


LENGTH = View(-1)


@dataclass(frozen=True)
class Member:
    """One member: the number of the view it reads, what it is, the seed of its bootstrap and start."""

    view: int
    kind: Kind = "linear"
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """What one member learned with each fold held out, on the scale of unit mean square held-out margin.

    `weights`: `w` [F, H] of a linear head; `w1` [F, H, M], `b1` [F, M], `w2` [F, M] of an MLP. `ridge` [F] and
    `bag_loss` [F] (log loss on rows out of its bag) say how it was stopped.
    """

    member: Member
    weights: dict[str, NDArray[np.float32]]
    ridge: NDArray[np.float64]
    bag_loss: NDArray[np.float64]

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Every fold's score of every response: [F, N] from features [N, H]."""
        if self.member.kind == "linear":
            return (features @ self.weights["w"].T).T
        return mlp({k: torch.from_numpy(v) for k, v in self.weights.items()}, torch.from_numpy(features)).numpy()


@torch.no_grad()
def mlp(net: dict[str, Tensor], features: Tensor) -> Tensor:
    """One hidden layer with GELU, G heads at once: [G, N] from features [N, H]; a block of responses at a time."""
    out = []
    for x in features.split(BLOCK):
        hidden = gelu(torch.baddbmm(net["b1"][:, None], x.expand(len(net["w2"]), *x.shape), net["w1"]))
        out.append(torch.einsum("gnm,gm->gn", hidden, net["w2"]))
    return torch.cat(out, 1) if out else torch.zeros(len(net["w2"]), 0)


def length_features(preferences: Sequence[Preference]) -> NDArray[np.float32]:
    """What a response shows from afar: log characters, thousands of characters, log marks of form [N, 3].

    Of the response's last turn; marks are lists, headings, quotations, code and bold passages.
    """
    rows = []
    for p in preferences:
        for response in p.responses:
            text = response[-1].text if response else ""
            rows.append((np.log1p(len(text)), len(text) / 1000, np.log1p(marks(text))))
    return np.array(rows, np.float32).reshape(-1, 3)


def view_matrix(view: View, trunks: Sequence[Features], preferences: Sequence[Preference]) -> NDArray[np.float32]:
    """The features of a view, all responses end to end: float32 [N, H]."""
    if view.trunk < 0:
        return length_features(preferences)
    return trunks[view.trunk].matrix(view.layer, view.pool)
