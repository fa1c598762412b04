"""Tree attention through PyTorch's FlexAttention: one kernel for the whole row, for GPUs.

A token sees another if that one's segment is its own or on its path, and its position is not ahead. The forward pass
is checked against the per-segment path on the CPU; on a GPU nothing has been verified yet (see docs/decisions).
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from plaudit.models.trees.plan import Tree


def family(tree: Tree) -> np.ndarray:
    """[S, S] bool: whether segment j is segment i or lies on its path."""
    seen = np.eye(len(tree.parent), dtype=bool)
    for i, path in enumerate(tree.paths):
        seen[i, path] = True
    return seen


def block_mask(tree: Tree, *, causal: bool, window: int, device: torch.device) -> BlockMask:
    """The row's block mask for one kind of layer."""
    related = torch.as_tensor(family(tree), device=device)
    node = torch.as_tensor(tree.node, device=device)
    position = torch.as_tensor(tree.position, device=device)

    def visible(_batch: Tensor, _head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        seen = related[node[q], node[k]]
        if causal:
            ahead = position[k] - position[q]
            seen = seen & (ahead <= 0)
            if window:
                seen = seen & (ahead > -window)
        return seen

    total = len(tree.tokens)
    return create_block_mask(visible, None, None, total, total, device=device)


@lru_cache(maxsize=1)
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, scale: float | None, softcap: float) -> Tensor:
    """query [1, H, T, D], key and value [1, G, T, D] -> [1, T, H, D]."""
    cap = (lambda score, *_: torch.tanh(score / softcap) * softcap) if softcap else None
    run = _compiled() if query.is_cuda else flex_attention
    out = run(query, key, value, score_mod=cap, block_mask=mask, scale=scale, enable_gqa=query.shape[1] != key.shape[1])
    return out.transpose(1, 2).contiguous()
