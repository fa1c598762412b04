"""Linear heads that expect wrong labels: a noisy channel between what a head believes and the label it is shown.

    P(label as shown) = (1 - rho) sigmoid(w.x) + rho sigmoid(-w.x)

Plain logistic loss trusts every label, so a head bends towards the wrong ones. Here rho is estimated on rows out of
the head's bag, and the head climbs the channel's likelihood by EM: the chance that each label is right (E), a ridge
solution on those chances as soft labels (M). Whether the channel, and which ridge, is better than the plain head is
decided by the same out-of-bag likelihood of the labels as shown, so a set without wrong labels keeps the plain one.
Reconstruction: logistic regression with label noise (Bootkrajang & Kaban 2012), applied to committees.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plaudit.signals.noise import estimate
from plaudit.training.bags import Pairs
from plaudit.training.solve import solve

ROUNDS = 10
SHARES = (1.0, 0.3, 0.1)  # of the plain head's ridge: a head that need not bend to wrong labels can be freer
FEWEST = 200  # out-of-bag rows that are asked for a rate
LEAST = 0.02  # a smaller rate is not worth the rounds


def improve(
    x: Tensor, pairs: Pairs, rows: NDArray[np.bool_], bags: Sequence[NDArray], heads: Tensor, ridges: Sequence[float],
    plain: NDArray[np.float64],
) -> tuple[Tensor, float, float, NDArray[np.float64]]:  # fmt: skip
    """The members' heads [H, M] with the rate, the ridge and the out-of-bag losses [M] that won, plain or channel.

    `x` [P, H] scaled differences, `rows` those that may be seen, `heads` [H, M, ridges] the plain solutions, `plain`
    [M, ridges] their out-of-bag log losses.
    """
    best = int(plain.mean(0).argmin())
    chosen = heads[:, :, best]
    rho = rate(x @ chosen, pairs, rows, bags)
    if rho < LEAST:
        return chosen, 0.0, float(ridges[best]), plain[:, best]
    tried = [ridges[best] * share for share in SHARES]
    count = len(bags)
    weight = torch.from_numpy(np.stack([pairs.weight * bag * rows for bag in bags for _ in tried], 1)).float()
    ridge = torch.tensor(tried).repeat(count)
    grown = chosen.repeat_interleave(len(tried), 1)
    label = torch.from_numpy(pairs.target).float()[:, None]
    for _ in range(ROUNDS):
        grown = solve(x, weight, believed(x @ grown, label, rho), ridge, start=grown, steps=1)
    loss = _out_of_bag((x @ grown).numpy().reshape(len(pairs), count, len(tried)), pairs, rows, bags, rho)
    won = int(loss.mean(0).argmin())
    if not loss[:, won].mean() < plain[:, best].mean():
        return chosen, 0.0, float(ridges[best]), plain[:, best]
    return grown.reshape(len(grown), count, -1)[:, :, won], rho, float(tried[won]), loss[:, won]


def believed(margin: Tensor, label: Tensor, rho: float) -> Tensor:
    """The chance [P, G] that the better response as labelled really is, given the margin; ties keep 1/2.

    >>> believed(torch.zeros(1, 1), torch.ones(1, 1), 0.25).item()
    0.75
    """
    p = torch.sigmoid(margin)
    right = (1 - rho) * p / ((1 - rho) * p + rho * (1 - p)).clamp_min(1e-12)
    return torch.where(label == 0.5, label, right)


def rate(margins: Tensor, pairs: Pairs, rows: NDArray[np.bool_], bags: Sequence[NDArray]) -> float:
    """The share of wrong labels, from every row's mean margin over the members whose bag left it out."""
    out = np.stack([rows & (bag == 0) for bag in bags], 1)  # [P, M]
    count = out.sum(1)
    asked = count > 0
    if asked.sum() < FEWEST:
        return 0.0
    mean = (margins.double().numpy() * out).sum(1)[asked] / count[asked]
    return estimate(mean, pairs.target[asked], np.zeros(len(mean))).rates["all"][0]


def _out_of_bag(
    margins: NDArray, pairs: Pairs, rows: NDArray[np.bool_], bags: Sequence[NDArray], rho: float
) -> NDArray[np.float64]:
    """Mean negative log chance of the labels as shown under the channel [M, ridges]."""
    found = np.zeros(margins.shape[1:])
    for k, bag in enumerate(bags):
        left = rows & (bag == 0)
        p = 1 / (1 + np.exp(-np.clip(margins[left, k].astype(np.float64), -500, 500)))
        shown = (1 - rho) * p + rho * (1 - p)
        t, w = pairs.target[left, None], pairs.weight[left, None]
        loss = -(t * np.log(np.maximum(shown, 1e-300)) + (1 - t) * np.log(np.maximum(1 - shown, 1e-300)))
        found[k] = (w * loss).sum(0) / max(float(w.sum()), 1e-300)
    return found
