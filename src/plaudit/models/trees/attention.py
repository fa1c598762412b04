"""Attention over a token tree, hooked into transformers' attention interface under the name `plaudit_tree`.

Per segment: a root attends causally to itself, a branch to its path and to itself. On the CPU by `folded`, on CUDA by
`flex`, otherwise (or with dropout) by one scaled-dot-product call a segment; soft-capped logits, noise that belongs to
tokens, and what is to be differentiated twice, by hand.
What a family passes on and this function does not know, it refuses: a wrong number without an error is the danger.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from plaudit.models.trees import flex, folded
from plaudit.models.trees.noise import Noise
from plaudit.models.trees.plan import Tree

NAME = "plaudit_tree"
# Keyword arguments of transformers' attention functions that change nothing here.
HARMLESS = {
    "cache", "cache_position", "cu_seq_lens_k", "cu_seq_lens_q", "encoder_hidden_states", "head_mask", "is_causal",
    "layer_head_mask", "max_length_k", "max_length_q", "num_items_in_batch", "output_attentions",
    "output_hidden_states", "output_router_logits", "past_key_value", "past_key_values", "position_bias",
    "position_embeddings", "position_ids", "return_dict", "use_cache",
}  # fmt: skip


class Refused(NotImplementedError):
    """The family passes something to its attention that trees cannot honour; another way must be taken."""


@dataclass
class Layout:
    """A tree as tensors on a device, with the masks of its branches; made once, used by every layer."""

    tree: Tree
    tokens: Tensor  # [1, T]
    position: Tensor  # [1, T]
    reads: Tensor  # [R]
    steps: list[tuple[int, int, list[tuple[int, int]], int]]  # start, stop, key spans, tokens above
    masks: dict[tuple[int, int, int], Tensor]
    blocks: dict[tuple[bool, int, int], list[folded.Block]]
    flexes: dict[tuple[bool, int], Any]
    noise: Noise | None = None  # drops attention weights
    twice: bool = False  # the gradient is to be differentiated again; `folded` has no second derivative

    def plan(self, causal: bool, window: int, repeats: int) -> list[folded.Block]:
        """The folded blocks for this kind of layer."""
        key = (causal, window, repeats)
        if key not in self.blocks:
            self.blocks[key] = folded.blocks(self.steps, causal=causal, window=window, repeats=repeats)
        return self.blocks[key]

    def flexed(self, causal: bool, window: int) -> Any:
        """The block mask for this kind of layer."""
        if (causal, window) not in self.flexes:
            device = self.tokens.device
            self.flexes[causal, window] = flex.block_mask(self.tree, causal=causal, window=window, device=device)
        return self.flexes[causal, window]

    def mask(self, own: int, above: int, window: int, device: torch.device) -> Tensor:
        """True where query i of `own` may see key j of `above` + `own`: [own, above + own]."""
        key = (own, above, window)
        if key not in self.masks:
            ahead = (
                torch.arange(above + own, device=device)[None]
                - torch.arange(above, above + own, device=device)[:, None]
            )
            seen = ahead <= 0
            self.masks[key] = seen & (ahead > -window) if window else seen
        return self.masks[key]


def layout(tree: Tree, device: torch.device | str = "cpu") -> Layout:
    """The tensors of a tree. Key spans that lie end to end are joined, so that they are a view and not a copy."""
    steps = []
    for (start, stop), path, above in zip(tree.spans, tree.paths, tree.depths, strict=True):
        spans: list[tuple[int, int]] = []
        for a, b in [*(tree.spans[p] for p in path), (start, stop)]:
            if spans and spans[-1][1] == a:
                spans[-1] = (spans[-1][0], b)
            else:
                spans.append((a, b))
        steps.append((start, stop, spans, above))
    to = lambda x: torch.as_tensor(x, device=device)  # noqa: E731
    return Layout(tree, to(tree.tokens)[None], to(tree.position)[None], to(tree.reads), steps, {}, {}, {})


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree: Layout | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of one layer: query [1, h, T, d], key and value [1, g, T, d], h a multiple of g -> [1, T, h, d]."""
    if tree is None or attention_mask is not None:
        raise Refused("no tree was handed to the attention function, or a mask was")
    unknown = [k for k, v in others.items() if k not in HARMLESS and v is not None and v is not False]
    if unknown or others.get("position_bias") is not None:
        raise Refused(f"attention arguments that trees do not know: {', '.join(unknown) or 'position_bias'}")
    causal = others.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    repeats = query.shape[1] // key.shape[1]
    window = sliding_window or 0
    if window and not causal:  # local attention that looks both ways: a path may be longer than any that was probed
        raise Refused("sliding windows without causality")
    by_hand = tree.twice or tree.noise is not None
    if query.device.type == "cpu" and not dropout and not softcap and not by_hand:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        kind = value.dtype if query.dtype != value.dtype else query.dtype
        plan = tree.plan(causal, window, repeats)
        return folded.attend(query.to(kind), key.to(kind), value, plan, scale), None
    if query.is_cuda and not dropout and not by_hand:
        mask = tree.flexed(causal, window)
        return flex.attend(query.to(value.dtype), key.to(value.dtype), value, mask, scaling, softcap or 0.0), None
    return _by_segment(module, query, key, value, tree, causal, window, scaling, dropout, softcap or 0.0), None


def _by_segment(module, query, key, value, tree, causal, window, scaling, dropout, softcap) -> Tensor:
    """Attention segment by segment, keys repeated: dropout, soft caps, noise, second derivatives."""
    repeats, noise = query.shape[1] // key.shape[1], tree.noise
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    keys = noise.keys(module, query.shape[1], causal=causal) if noise else None
    parts = []
    for start, stop, spans, above in tree.steps:
        q, k, v = query[:, :, start:stop], _gather(key, spans), _gather(value, spans)
        mask, plain = None, causal and above == 0 and not 0 < window < stop - start
        if causal and not plain:
            mask = tree.mask(stop - start, above, window if above + stop - start > window else 0, q.device)
        if softcap or tree.twice or noise:
            thin = None if noise is None or keys is None else partial(noise.thin, keys=keys[:, start:stop])
            parts.append(_by_hand(q, k, v, mask, plain, scaling, softcap, dropout, thin))
        else:
            how: Any = {"is_causal": plain, "scale": scaling, "dropout_p": dropout}
            parts.append(scaled_dot_product_attention(q, k, v, attn_mask=mask, **how))
    return torch.cat(parts, 2).transpose(1, 2).contiguous()


def _gather(x: Tensor, spans: list[tuple[int, int]]) -> Tensor:
    if len(spans) == 1:
        return x[:, :, spans[0][0] : spans[0][1]]
    return torch.cat([x[:, :, a:b] for a, b in spans], 2)


def _by_hand(q, k, v, mask, plain, scaling, softcap, dropout, thin) -> Tensor:
    """Attention written out: soft-capped logits (Gemma 2), thinned weights, a second derivative."""
    logits = q.float() @ k.float().transpose(2, 3) * (q.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap:
        logits = torch.tanh(logits / softcap) * softcap
    if plain:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf"))
    weights = torch.nn.functional.dropout(logits.softmax(-1), dropout)
    return (weights if thin is None else thin(weights)).to(v.dtype) @ v


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
