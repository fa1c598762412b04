"""Rows of length one, which is all that a contrastive loss sees of a feature vector."""

import torch
from torch import Tensor


def unit(x: Tensor) -> Tensor:
    """The rows of x [M, H] divided by their lengths; a row of zeros stays zero and gets no gradient.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    alive = length > 0
    return torch.where(alive, x / torch.where(alive, length, 1.0), 0.0)
