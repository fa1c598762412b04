"""The chance that a label is wrong, which has a meaning only under a named model of how labels go wrong.

Each model says: a preference has a clean label that follows the committee, sigmoid(a * mean) for the direction it came
in, and with probability rho (one for all rows, one a group, or one an annotator) the label was turned round. So

    P(label as observed) = (1 - rho) sigmoid(a m) + rho sigmoid(-a m),
    p_wrong = rho sigmoid(-a m) / P(label as observed).

a and rho are fitted together by maximum likelihood on votes that never saw the row; rho shows where |m| is large: a
committee that is sure and still contradicted that often. Reconstruction, in the manner of Dawid & Skene 1979 with the
committee as one annotator of known votes. Not identified when the votes never become sure: the interval says so.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.price import sigmoid

NoiseModel = Literal["uniform", "group", "annotator"]
RHOS = np.concatenate([[0.0], np.linspace(0.002, 0.498, 125)])  # [G]; at 1/2 and above a label would mean its opposite
SLOPES = np.geomspace(0.05, 60, 72)  # [A], in units of 1 / rms(mean)
WIDEST = 0.15  # of an interval that still says something
BINS = 200  # of equal counts
CHI2_95 = 3.841459  # 95 % point of chi-square with one degree of freedom


@dataclass(frozen=True)
class Noise:
    """An estimated noise model. `rates`: name -> (estimate, low, high, rows); `slope` is a; `p_wrong` [P].

    The interval is the 95 % profile-likelihood one. `identified`: every interval is narrower than `WIDEST`. Where one
    is wider, `p_wrong` is empty (NaN): nobody can tell.
    """

    model: NoiseModel
    slope: float
    rates: dict[str, tuple[float, float, float, int]]
    p_wrong: NDArray[np.float64]

    @property
    def identified(self) -> bool:
        return all(high - low < WIDEST for _, low, high, _ in self.rates.values())


def estimate(
    mean: NDArray[np.float64], target: NDArray[np.float64], kind: NDArray, *, model: NoiseModel = "uniform"
) -> Noise:
    """Fit the model to comparisons [P]; `kind` [P] names each one's group or annotator and is not read for `uniform`.

    Ties take no part: their `p_wrong` is 0.

    >>> draw = np.random.Generator(np.random.PCG64(0)); gold = draw.normal(0, 3, 4000)
    >>> clean = np.where(draw.random(4000) < 1 / (1 + np.exp(-gold)), 1, -1)
    >>> seen = np.where(draw.random(4000) < 0.2, -clean, clean)
    >>> found = estimate(seen * gold, np.ones(4000), np.zeros(4000, int))
    >>> rate, low, high, n = found.rates["all"]
    >>> low < 0.2 < high and high - low < 0.1
    True
    """
    judged = target != 0.5
    rms = float(np.sqrt((mean[judged] ** 2).mean())) if judged.any() else 0.0
    names = np.full(len(mean), "all", object) if model == "uniform" else np.asarray(kind).astype(object)
    if rms == 0:
        none = {str(n): (0.0, 0.0, float(RHOS[-1]), int((names == n).sum())) for n in np.unique(names[judged])}
        return Noise(model, 0.0, none, np.where(judged, np.nan, 0.0))
    slopes = SLOPES / rms
    kinds = np.unique(names[judged])
    surfaces = [_likelihood(mean[judged & (names == k)], slopes) for k in kinds]  # each [A, G]
    best = int(np.argmax(sum(s.max(1) for s in surfaces)))
    rates: dict[str, tuple[float, float, float, int]] = {}
    rho = np.zeros(len(mean))
    for at, k in enumerate(kinds):
        others: NDArray[np.float64] = np.sum(
            [s.max(1) for i, s in enumerate(surfaces) if i != at] or [np.zeros(len(slopes))], axis=0
        )
        profile = (surfaces[at] + others[:, None]).max(0)  # [G]: a fitted anew for every rate
        inside = RHOS[profile >= profile.max() - CHI2_95 / 2]
        rate = float(RHOS[np.argmax(surfaces[at][best])])
        rates[str(k)] = (rate, float(inside.min()), float(inside.max()), int((judged & (names == k)).sum()))
        rho[names == k] = rate if inside.max() - inside.min() < WIDEST else np.nan
    a = float(slopes[best])
    wrong, right = rho * sigmoid(-a * mean), (1 - rho) * sigmoid(a * mean)
    return Noise(model, a, rates, np.where(judged, wrong / np.maximum(wrong + right, 1e-300), 0.0))


def _likelihood(mean: NDArray[np.float64], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log likelihood of the observed directions on the grid of slopes and rates [A, G]; sizes of margins are binned."""
    size, up = np.abs(mean), mean > 0
    order = np.argsort(size, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    middle = np.array([size[p].mean() for p in parts])  # [B]
    agree = np.array([up[p].sum() + 0.5 * (size[p] == 0).sum() for p in parts])
    differ = np.array([len(p) for p in parts]) - agree
    right = sigmoid(slopes[:, None] * middle)[..., None]  # [A, B, 1]
    chance = right + RHOS * (1 - 2 * right)  # [A, B, G]
    log = np.log(np.maximum(chance, 1e-300)), np.log(np.maximum(1 - chance, 1e-300))
    return np.einsum("b,abg->ag", agree, log[0]) + np.einsum("b,abg->ag", differ, log[1])
