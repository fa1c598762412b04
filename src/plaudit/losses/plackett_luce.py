"""Likelihood of a whole ranking: each place is a softmax over those not yet placed.

Plackett 1975, Luce 1959: P(y1 > ... > yK) = prod_k s_k / sum_{l >= k} s_l with s = e^score; the loss of a list is
sum_k [logsumexp_{l >= k} r_l - r_k]. A list of two is Bradley-Terry. Equal ranks follow Breslow (1974): every member of
a tie is measured against the whole tie and all that come after it. `top_k` keeps the first k places, for lists whose
tail was ranked carelessly (every member of a tie that begins within them counts).

A pair loss over all comparisons of the list counts a confident judge K(K-1)/2 times; this counts one ranking.
Reads no target and no margin: a list has no single probability to soften.

>>> import torch
>>> loss(torch.tensor([2.0, 1.0, 0.0]), torch.zeros(3, dtype=torch.long), torch.arange(3)).item()  # doctest: +ELLIPSIS
0.720...
"""

import torch
from torch import Tensor

from plaudit.losses._precision import in_float32

SHIFT_INVARIANT = True


@in_float32
def loss(scores: Tensor, group: Tensor, ranks: Tensor, *, top_k: int | None = None) -> Tensor:
    """One value per list: `scores, group, ranks` [N] to [G], groups in ascending order of their number.

    A list of one response, and a last place, cost exactly 0. Ranks need not be consecutive; 0 is best.
    """
    which, index = torch.unique(group, return_inverse=True)
    same = group[:, None] == group[None, :]
    rest = same & (ranks[None, :] >= ranks[:, None])  # [N, N]: row i holds those not placed before i
    placed = torch.logsumexp(scores[None, :].expand_as(rest).masked_fill(~rest, -torch.inf), 1) - scores
    if top_k is not None:
        before = (same & (ranks[None, :] < ranks[:, None])).sum(1)
        placed = placed * (before < top_k)
    return scores.new_zeros(len(which)).index_add(0, index, placed)
