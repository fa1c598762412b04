"""Tree attention on the CPU as a few batched matrix products per segment, with its own backward pass.

Query heads that share a key/value head are folded into rows, so keys are never repeated; a segment is taken in blocks
of rows, so causal blocks skip the keys ahead. Faster than the fused CPU kernel on pieces of this size, most of all
backward and in bf16. Gradients of keys are added in place: no zero-filled slices.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

BLOCK = 128  # rows of one block


class Block(NamedTuple):
    """Rows `start:stop`; the key spans they see; the additive mask [rows, keys] or None when they see all."""

    start: int
    stop: int
    spans: list[tuple[int, int]]
    bias: Tensor | None


def blocks(
    steps: list[tuple[int, int, list[tuple[int, int]], int]], *, causal: bool, window: int, repeats: int
) -> list[Block]:
    """Cut every segment into blocks; `steps` are (start, stop, key spans, tokens above) of a `Layout`."""
    out = []
    for start, stop, spans, above in steps:
        for a in range(start, stop, BLOCK):
            b = min(a + BLOCK, stop)
            if not causal:
                out.append(Block(a, b, spans, None))
                continue
            seen = [*spans[:-1], (spans[-1][0], spans[-1][1] - stop + b)]
            out.append(Block(a, b, seen, _bias(b - a, above + b - start, window, repeats)))
    return out


_BIASES: dict[tuple[int, int, int, int], Tensor] = {}
_KEPT: list[int] = []  # the bytes of each
MOST = 256 << 20  # bytes in all


def _bias(rows: int, keys: int, window: int, repeats: int) -> Tensor:
    """[repeats * rows, keys]: 0 where the last `rows` of `keys` positions may look, -inf ahead or out of the window."""
    window = window if 0 < window < keys else 0
    key = (rows, keys, window, repeats)
    if key not in _BIASES:
        if sum(_KEPT) > MOST:
            _BIASES.clear()
            _KEPT.clear()
        ahead = torch.arange(keys)[None] - torch.arange(keys - rows, keys)[:, None]
        hidden = (ahead > 0) | ((ahead <= -window) if window else torch.zeros_like(ahead, dtype=torch.bool))
        _BIASES[key] = torch.zeros(rows, keys).masked_fill_(hidden, float("-inf")).repeat(repeats, 1)
        _KEPT.append(_BIASES[key].nbytes)
    return _BIASES[key]


def _keys(x: Tensor, spans: list[tuple[int, int]]) -> Tensor:
    if len(spans) == 1:
        return x[:, spans[0][0] : spans[0][1]]
    return torch.cat([x[:, a:b] for a, b in spans], 1)


class _Folded(torch.autograd.Function):
    """q [H, T, D], k and v [G, T, D] -> [T, H, D]; H is a multiple of G."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, plan: list[Block], scale: float) -> Tensor:
        heads, total, width = q.shape
        groups = k.shape[0]
        out = q.new_empty(total, heads, width)
        kept = []
        for block in plan:
            n = block.stop - block.start
            rows = q[:, block.start : block.stop].reshape(groups, -1, width)
            keys = _keys(k, block.spans)
            weights = _softmax(rows, keys, block.bias, scale)
            part = torch.bmm(weights, _keys(v, block.spans))
            out[block.start : block.stop] = part.view(heads, n, width).transpose(0, 1)
            if ctx is not None:
                kept.append(weights)
        if ctx is not None:
            ctx.save_for_backward(q, k, v, *kept)
            ctx.plan, ctx.scale = plan, scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q, k, v, *kept = ctx.saved_tensors
        heads, _, width = q.shape
        groups = k.shape[0]
        out = grads[0].transpose(0, 1)  # [H, T, D]
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for block, weights in zip(ctx.plan, kept, strict=True):
            n = block.stop - block.start
            grad = out[:, block.start : block.stop].reshape(groups, -1, width)
            rows = q[:, block.start : block.stop].reshape(groups, -1, width)
            keys = _keys(k, block.spans)
            _spread(dv, block.spans, torch.bmm(weights.transpose(1, 2), grad))
            inner = torch.bmm(grad, _keys(v, block.spans).transpose(1, 2))
            inner = torch._softmax_backward_data(inner, weights, -1, inner.dtype)
            dq[:, block.start : block.stop] = torch.bmm(inner, keys).mul_(ctx.scale).view(heads, n, width)
            _spread(dk, block.spans, torch.bmm(inner.transpose(1, 2), rows).mul_(ctx.scale))
        return dq, dk, dv, None, None


def _softmax(rows: Tensor, keys: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    if bias is None:
        return torch.bmm(rows, keys.transpose(1, 2)).mul_(scale).softmax(-1)
    return torch.baddbmm(bias.to(rows.dtype), rows, keys.transpose(1, 2), alpha=scale).softmax(-1)


def _spread(into: Tensor, spans: list[tuple[int, int]], values: Tensor) -> None:
    at = 0
    for a, b in spans:
        into[:, a:b].add_(values[:, at : at + b - a])
        at += b - a


def attend(query: Tensor, key: Tensor, value: Tensor, plan: list[Block], scale: float) -> Tensor:
    """Attention of one layer: query [1, H, T, D], key and value [1, G, T, D] -> [1, T, H, D]."""
    q, k, v = query[0], key[0], value[0]
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        return _Folded.apply(q, k, v, plan, scale)[None]
    return _Folded.forward(None, q, k, v, plan, scale)[None]
