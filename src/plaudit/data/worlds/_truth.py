"""What a world returns, and how a recorded label comes about: judgement, bias, flip, and what can be known of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from plaudit.records import Preference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """One row per preference; indices count its responses in their order.

    `gold` [n, 2]; `clean_better` [n], the response of higher gold; `flipped` [n], whether the record differs from what
    an honest judge said; `p_wrong` [n], the chance of that given gold rewards and record; `p_prior` [n], the same for
    one who knows the noise model and the covariates it rests on, but no gold reward (the two answers as likely).
    With hard labels gold tells everything and `p_wrong` is 0 or 1.
    """

    gold: Floats
    clean_better: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    p_wrong: Floats
    p_prior: Floats

    def rows(self, ids: list[str]) -> Iterator[dict[str, Any]]:
        """One JSON-ready row per preference."""
        for i, name in enumerate(ids):
            yield {
                "id": name, "gold": [round(float(g), 6) for g in self.gold[i]],
                "clean_better": int(self.clean_better[i]), "flipped": bool(self.flipped[i]),
                "p_wrong": round(float(self.p_wrong[i]), 6), "p_prior": round(float(self.p_prior[i]), 6),
            }  # fmt: skip


@dataclass(frozen=True)
class World:
    """Preferences, their truth and, where the world is made of features, those: float32 [n, 2, d]."""

    name: str
    seed: int
    preferences: list[Preference]
    truth: Truth
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Judged:
    """Labels of one run of judges; every column [n]."""

    recorded: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    p_wrong: Floats
    p_prior: Floats


def chance(gap: Floats, temperature: float) -> Floats:
    """Bradley-Terry chance that the first response wins; a temperature of 0 is a hard label."""
    if temperature <= 0:
        return (gap > 0).astype(np.float64)
    return expit(gap / temperature)


def judge(
    gap: Floats, bias: Floats, flip_first: Floats, flip_second: Floats, luck: Floats, *, temperature: float = 0.0
) -> Judged:
    """Record a label for each pair.

    An honest judge says "first" when u < chance(gap); this judge when u < chance(gap + bias), with the same u. What
    it says is then recorded the other way round with probability `flip_first` or `flip_second`, by what was said.
    `luck` [n, 2] holds u and the draw of the flip. `p_wrong` is Bayes' rule over the four (honest, said) cases:
    they agree on first with min(p, q), on second with 1 - max(p, q), and part ways otherwise.
    """
    p, q = chance(gap, temperature), chance(gap + bias, temperature)
    honest, said = luck[:, 0] < p, luck[:, 0] < q
    first = said ^ (luck[:, 1] < np.where(said, flip_first, flip_second))
    wrong = _wrong(p, q, flip_first, flip_second, first)
    half = np.full_like(p, 0.5)
    prior_bias = expit(bias / temperature) if temperature > 0 else half
    prior = _wrong(half, prior_bias, flip_first, flip_second, first)
    return Judged(np.where(first, 0, 1), first != honest, wrong, prior)


def _wrong(p: Floats, q: Floats, flip_first: Floats, flip_second: Floats, first: NDArray[np.bool_]) -> Floats:
    """P(honest differs from record | record)."""
    both, neither = np.minimum(p, q), 1 - np.maximum(p, q)
    lost, gained = np.maximum(p - q, 0), np.maximum(q - p, 0)  # honest first, said second; and the reverse
    first_wrong = gained * (1 - flip_first) + neither * flip_second
    first_right = both * (1 - flip_first) + lost * flip_second
    second_wrong = lost * (1 - flip_second) + both * flip_first
    second_right = neither * (1 - flip_second) + gained * flip_first
    wrong, right = np.where(first, first_wrong, second_wrong), np.where(first, first_right, second_right)
    return wrong / (wrong + right)
