"""Two noisy views of one response should fall to the same prototypes, which share the batch out evenly.

With c_1..c_K learned prototypes and p = softmax(cos(h, c) / temperature), per row: - sum_k q_s log p_t - sum_k q_t log
p_s. The codes q come from the cosines by three rounds of Sinkhorn at `epsilon`, so that every prototype takes the same
share of the batch; no gradient passes through them. Caron et al. 2020 (arXiv 2006.09882), with its constants; beside
the loss of a reward model: Secrets of RLHF, part II (arXiv 2401.06080), with 50 prototypes on pairs and 20 on
differences. The two terms are summed, not averaged, as the second paper prints. Prototypes are brought to length one
in here, where SwAV does it after every update: the same directions, and the optimiser's state stays its own.

Identical cosines share everything evenly, and the loss is 2 log K:

>>> import torch
>>> one = torch.ones(3, 4)
>>> loss(one, one, prototypes=torch.ones(5, 4)).tolist()[0]  # doctest: +ELLIPSIS
3.218...
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from plaudit.losses._directions import unit
from plaudit.losses._precision import in_float32

REGULARISER = True  # reads no label


def parameters(width: int, count: int) -> dict[str, tuple[int, int]]:
    """Shapes of what is learned beside the weights, for features of `width`; drawn from a normal law to begin with.

    >>> parameters(8, 50)
    {'prototypes': (50, 8)}
    """
    return {"prototypes": (count, width)}


@torch.no_grad()
def codes(alike: Tensor, *, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Soft assignments [M, K] from cosines [M, K]: rows sum to one, columns nearly to M / K. In the log domain.

    >>> codes(torch.zeros(2, 4)).tolist()[0]
    [0.25, 0.25, 0.25, 0.25]
    """
    rows, count = alike.shape
    if not rows:
        return alike
    logs = alike / epsilon
    for _ in range(iterations):
        logs = logs - torch.logsumexp(logs, 0, keepdim=True) - math.log(count)
        logs = logs - torch.logsumexp(logs, 1, keepdim=True) - math.log(rows)
    return (logs + math.log(rows)).exp()


@in_float32
def loss(
    first: Tensor,
    second: Tensor,
    *,
    prototypes: Tensor,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    iterations: int = 3,
    fixed: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """One value per row: views [M, H] and [M, H], prototypes [K, H] to [M]. `fixed`: codes made before, [M, K] each."""
    centres = unit(prototypes.to(first)).T
    s, t = unit(first) @ centres, unit(second) @ centres
    q_s, q_t = fixed or [codes(side, epsilon=epsilon, iterations=iterations) for side in (s, t)]
    return -(q_s * log_softmax(t / temperature, 1)).sum(1) - (q_t * log_softmax(s / temperature, 1)).sum(1)
