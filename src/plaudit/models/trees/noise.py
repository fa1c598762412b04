"""Dropout on attention weights whose draw belongs to the token, not to the batch it is computed in.

Whether the weight from a token to the j-th token before it is dropped is a hash of (seed, layer, head, all that the
token sees, j). So a prompt that is read once for two responses is dropped as it would be in two sequences of their
own, and neither neighbours, nor the cut into micro-batches, nor the rank, nor the device changes a draw. The generator
of torch is not touched. Draws are hashed with the 32-bit mixer `lowbias32`; names of prefixes with a 64-bit
congruential chain.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit.models.trees.plan import Tree

_WORD = (1 << 64) - 1
_GOLDEN = -1640531527  # 2^32 / golden ratio, as int32


def prefixes(tree: Tree, *, causal: bool) -> NDArray[np.uint64]:
    """A 64-bit name of all that each token sees, [T]: its path and what stands before it, or its whole sequence.

    The filler at the end of a tree gets names as well; nobody reads it.
    """
    names = np.zeros(len(tree.tokens), np.uint64)
    ends: list[int] = []
    for (start, stop), path in zip(tree.spans, tree.paths, strict=True):
        state = ends[path[-1]] if path else 0x243F6A8885A308D3
        begun = state
        for i, token in enumerate(tree.tokens[start:stop].tolist()):
            state = (state * 6364136223846793005 + token + 1442695040888963407) & _WORD
            names[start + i] = state
        if not causal:  # every token of a sequence sees all of it
            whole = [(state ^ (begun + k * 0x9E3779B97F4A7C15)) & _WORD for k in range(stop - start)]
            names[start:stop] = np.array(whole, np.uint64)
        ends.append(state)
    return names


class Noise:
    """The draws of one pass over one tree: which attention weights are dropped, at `rate`, under `seed`."""

    def __init__(self, tree: Tree, *, rate: float, seed: int, device: torch.device | str = "cpu") -> None:
        self.tree, self.rate, self.seed, self.device = tree, rate, seed, device
        self._layers: dict[int, int] = {}  # a recomputed layer asks twice and is known by itself
        self._names: dict[bool, NDArray[np.uint64]] = {}

    def keys(self, module: torch.nn.Module, heads: int, *, causal: bool) -> Tensor:
        """One int32 per head and token for this layer: [h, T]. Layers are counted in the order they first ask."""
        layer = self._layers.setdefault(id(module), len(self._layers))
        if causal not in self._names:
            self._names[causal] = prefixes(self.tree, causal=causal)
        salts = [(self.seed + (layer * 1024 + h + 1) * 0xD1342543DE82EF95) & _WORD for h in range(heads)]
        salt = np.array(salts, np.uint64)
        mixed = _finish(self._names[causal][None] ^ _finish(salt)[:, None])
        return torch.from_numpy((mixed >> np.uint64(32)).astype(np.uint32).view(np.int32)).to(self.device)

    def thin(self, weights: Tensor, keys: Tensor) -> Tensor:
        """Attention weights [1, h, q, k] with some dropped and the rest scaled up; keys [h, q] of the rows."""
        if not self.rate:
            return weights
        column = torch.arange(weights.shape[-1], device=weights.device, dtype=torch.int32) * _GOLDEN
        drawn = _mix(keys[:, :, None] + column)
        kept = (drawn & 0x7FFFFFFF) >= int(self.rate * 2**31)
        return weights * (kept[None] / (1 - self.rate)).to(weights.dtype)


def _finish(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of 64 over all of them (the finaliser of MurmurHash3)."""
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(33))


def _mix(x: Tensor) -> Tensor:
    """`lowbias32` on int32, whose products wrap; shifts are made logical by a mask."""
    steps: Sequence[tuple[int, int, int]] = ((16, 0xFFFF, 0x7FEB352D), (15, 0x1FFFF, 0x846CA68B - 2**32))
    for shift, mask, factor in steps:
        x = (x ^ ((x >> shift) & mask)) * factor
    return x ^ ((x >> 16) & 0xFFFF)
