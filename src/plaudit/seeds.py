"""Named randomness and the order of data: pure functions, so a checkpoint stores a position and no generator state."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def seed_for(seed: int, purpose: str, *index: int) -> int:
    """A 63-bit seed for one draw: the same for the same (seed, purpose, index), unrelated otherwise.

    >>> seed_for(0, "shuffle", 1) == seed_for(0, "shuffle", 1) != seed_for(0, "shuffle", 2)
    True
    """
    text = "\x1f".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """A numpy generator for that stream."""
    return np.random.Generator(np.random.PCG64(seed_for(seed, purpose, *index)))


def order(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of epoch e over n rows: int64 [n], a pure function of (n, seed, epoch)."""
    return generator(seed, "shuffle", epoch).permutation(n)
