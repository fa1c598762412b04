"""Pairs of feature vectors with a linear gold reward; no text.

A response is x = 2^-10 round(2^10 (p + r)): p is shared by the two responses to a prompt, r is its own, both normal
with a spectrum that falls like 1/sqrt(k). The last feature plays length: gold gives it no weight, but in the usual law
it moves with gold (correlation about 0.3), and in the shifted law against it, while the spectrum is turned round and
the mean is moved. Features and weights are multiples of 2^-10 and gold is their exact sum, so that rounding in a
library or a processor cannot change a bit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from plaudit.data.worlds._truth import Truth, World, judge
from plaudit.records import RAW, Preference, message
from plaudit.seeds import seed_for

GRID = 1024.0
WIDTH = 64
SCALE = 2.0  # deviation of the gold gap between two responses, about
LENGTH_SLOPE = 1.5


@dataclass(frozen=True, slots=True)
class Options:
    """What a preset fixes. Flips: `flip` everywhere, `group_flip[g]` in group g, `length_flip` towards "long"."""

    temperature: float = 0.0
    flip: float = 0.0
    group_flip: tuple[float, ...] = ()
    length_flip: float = 0.0
    shifted: bool = False


def make(name: str, *, n: int, seed: int, options: Options) -> World:
    """n pairs of that law; the gold weights belong to the version, not to the seed."""
    weights = gold_weights()
    features = _features(n, seed, weights, options.shifted)  # [n, 2, d]
    golds = features @ weights
    gap, length = golds[:, 0] - golds[:, 1], features[:, 0, -1] - features[:, 1, -1]
    group = (_uniform(seed, "world/vector-v1/group", (n,)) * max(len(options.group_flip), 1)).astype(np.int64)
    base = options.flip + np.array(options.group_flip or (0.0,))[group]
    steep = np.exp(-np.logaddexp(0, LENGTH_SLOPE * length))
    flips = base + 2 * options.length_flip * steep, base + 2 * options.length_flip * (1 - steep)
    luck = _uniform(seed, "world/vector-v1/label", (n, 2))
    judged = judge(gap, np.zeros(n), *flips, luck, temperature=options.temperature)
    truth = Truth(golds, (gap < 0).astype(np.int64), judged.flipped, judged.p_wrong, judged.p_prior)
    rows = [_record(f"{name}-{seed}-{i}", int(judged.recorded[i]), int(group[i])) for i in range(n)]
    return World(name, seed, rows, truth, features.astype(np.float32))


def gold_weights() -> NDArray[np.float64]:
    """The weights of gold: [d], the last one 0."""
    raw = _normal(0, "world/vector-v1/gold", (WIDTH,))
    raw[-1] = 0
    weights: NDArray[np.float64] = np.round(raw * SCALE / _gap_deviation(raw, _spectrum()) * GRID) / GRID
    return weights


def _gap_deviation(weights: NDArray[np.float64], spectrum: NDArray[np.float64]) -> float:
    """Deviation of the difference in gold between the two responses of a pair."""
    return float(np.sqrt(2 * ((weights * spectrum) ** 2).sum()))


def _spectrum() -> NDArray[np.float64]:
    return np.asarray(1 / np.sqrt(np.arange(1, WIDTH + 1)), dtype=np.float64)


def _features(n: int, seed: int, weights: NDArray[np.float64], shifted: bool) -> NDArray[np.float64]:
    law = "shifted" if shifted else "usual"
    own = _normal(seed, f"world/vector-v1/{law}/response", (n, 2, WIDTH))
    shared = _normal(seed, f"world/vector-v1/{law}/prompt", (n, 1, WIDTH))
    spectrum = _spectrum()
    if shifted:  # turned round, and scaled so that the gaps of gold stay as wide
        spectrum = spectrum[::-1] * SCALE / _gap_deviation(weights, spectrum[::-1])
    x = (own + shared) * spectrum + (0.5 if shifted else 0.0)
    gold = (own * spectrum) @ weights  # what is the response's own
    moved = (-0.3 if shifted else 0.3) * gold * np.sqrt(2) / SCALE
    x[..., -1] = moved + np.sqrt(1 - 0.3**2) * own[..., -1]
    rounded: NDArray[np.float64] = np.round(x * GRID) / GRID
    return rounded


def _uniform(seed: int, purpose: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers in (0, 1) from the raw stream, which numpy keeps for ever; its distributions may change."""
    raw = np.random.PCG64(seed_for(seed, purpose)).random_raw(int(np.prod(shape)))
    top = np.asarray(raw, dtype=np.uint64) >> np.uint64(11)
    return np.asarray((top + 0.5) * 2.0**-53, dtype=np.float64).reshape(shape)


def _normal(seed: int, purpose: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return ndtri(_uniform(seed, purpose, shape))


def _record(id: str, recorded: int, group: int) -> Preference:
    """A preference without readable text: each response only names its row of features."""
    responses = tuple((message(RAW, f"{id}/{k}"),) for k in range(2))
    return Preference(id, (), responses, (recorded, 1 - recorded), group=id, tags={"group": str(group)})
