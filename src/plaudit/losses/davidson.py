"""Ties as an event of their own, likeliest between equals; odds of win against loss stay Bradley-Terry's.

Davidson 1970. With s = e^score and nu >= 0: P(win) = s_c / (s_c + s_r + nu·sqrt(s_c·s_r)) and P(tie) = nu·sqrt(s_c·s_r)
over the same sum. A labelled tie (`tie`: equal ranks and target 1/2) is the tie event; any other target is the
probability of a win against a loss.

nu = e^b, so every real `b` is allowed. `b` is learned beside the weights unless the options name it, and `prior` holds
it: without ties nu falls to 0 and the model to Bradley-Terry, with ties alone it would diverge.
Rao-Kupper instead puts a threshold under each win. Without ties in the data use `bradley_terry`.

Two equal responses and nu = 1 tie with probability 1/3:

>>> import torch
>>> zero, half = torch.zeros(1), torch.full((1,), 0.5)
>>> loss(zero, zero, half, zero, torch.tensor([True])).neg().exp().item()  # doctest: +ELLIPSIS
0.333...
"""

import torch
from torch import Tensor

from plaudit.losses._precision import in_float32

SHIFT_INVARIANT = True


def parameters() -> dict[str, float]:
    """Where learning starts: b = 0, nu = 1."""
    return {"b": 0.0}


def prior(b: Tensor, *, prior: float = 1e-3) -> Tensor:
    """Normal prior on b, added once to a step's mean loss: half of `prior` times b². Weak against any share of ties."""
    return 0.5 * prior * b**2


@in_float32
def loss(
    chosen: Tensor, rejected: Tensor, target: Tensor, margin: Tensor, tie: Tensor, *, b: Tensor | float = 0.0
) -> Tensor:
    """One value per pair: columns [P], `tie` boolean, to [P]. nu = e^b; b = -inf is Bradley-Terry."""
    b = torch.as_tensor(b, dtype=chosen.dtype, device=chosen.device)
    half = (chosen - rejected - margin) / 2
    total = torch.logsumexp(torch.stack([half, -half, b.expand_as(half)]), 0)
    # target·half - (1 - target)·half in one product: exact at targets 0, 1/2 and 1
    return total - torch.where(tie, b, (2 * target - 1) * half)
