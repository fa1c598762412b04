"""Ties as an event of their own, decided by a threshold on the score margin.

Rao & Kupper 1967. With s = e^score and theta >= 1: P(win) = s_c / (s_c + theta·s_r) and
P(tie) = (theta² - 1)·s_c·s_r / [(s_c + theta·s_r)(s_r + theta·s_c)]. A win is sigmoid(d - log theta): the pair kernel
with a margin of log theta. A labelled tie (`tie`: equal ranks and target 1/2) is the tie event; any other target is the
probability of a win against a loss.

theta = 1 + e^a, so every real `a` is allowed. `a` is learned beside the weights unless the options name it, and
`prior` holds it: without ties theta falls to 1 and the model to Bradley-Terry, with ties alone it would diverge.
Davidson keeps the odds of win against loss as they were; this model does not, and says "tie" inside a window of width
2·log theta. Without ties in the data use `bradley_terry`.

Two equal responses and theta = 2 tie with probability 1/3:

>>> import torch
>>> zero, half = torch.zeros(1), torch.full((1,), 0.5)
>>> loss(zero, zero, half, zero, torch.tensor([True])).neg().exp().item()  # doctest: +ELLIPSIS
0.333...
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from plaudit.losses._precision import in_float32

SHIFT_INVARIANT = True


def parameters() -> dict[str, float]:
    """Where learning starts: a = 0, theta = 2."""
    return {"a": 0.0}


def prior(a: Tensor, *, prior: float = 1e-3) -> Tensor:
    """Normal prior on a, added once to a step's mean loss: half of `prior` times a². Weak against any share of ties."""
    return 0.5 * prior * a**2


@in_float32
def loss(
    chosen: Tensor, rejected: Tensor, target: Tensor, margin: Tensor, tie: Tensor, *, a: Tensor | float = 0.0
) -> Tensor:
    """One value per pair: columns [P], `tie` boolean, to [P]. theta = 1 + e^a; a = -inf is Bradley-Terry."""
    a = torch.as_tensor(a, dtype=chosen.dtype, device=chosen.device)
    gap, threshold = chosen - rejected - margin, softplus(a)
    won, lost = logsigmoid(gap - threshold), logsigmoid(-gap - threshold)
    log_theta2_minus_1 = a + torch.logaddexp(a, a.new_tensor(math.log(2)))
    return -torch.where(tie, log_theta2_minus_1 + won + lost, target * won + (1 - target) * lost)
