"""What could be won back at all? One head that KNOWS the rate of uniform flips and is trained by the likelihood of it.

The loss of a label that is turned round with chance e is -log((1 - 2 e) sigmoid(gap) + e) (forward correction, Patrini
et al. 2017, arXiv 1609.03683): the efficient estimator of a linear reward under such noise. No repair is told e.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noise_sets import Case, flips
from plaudit.data.split import folds

RIDGES = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)


def loss(gap: Tensor, rate: float) -> Tensor:
    """Of every row [P]."""
    return -torch.log((1 - 2 * rate) * torch.sigmoid(gap) + rate)


def head(x: Tensor, rate: float, ridge: float) -> Tensor:
    """The head [H] of one ridge, by L-BFGS from 0."""
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [w], max_iter=300, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-7
    )

    def again() -> Tensor:
        optimizer.zero_grad()
        total = loss(x @ w, rate).mean() + 0.5 * ridge * w.square().sum()
        total.backward()
        return total

    optimizer.step(again)
    return w.detach()


def chosen(x: Tensor, rate: float, fold: NDArray[np.int64]) -> Tensor:
    """The head whose ridge predicts these labels best, by folds."""
    total = []
    for ridge in RIDGES:
        total.append(
            sum(float(loss(x[fold == f] @ head(x[fold != f], rate, ridge), rate).sum()) for f in np.unique(fold))
        )
    return head(x, rate, RIDGES[int(np.argmin(total))])


def draws(make: Callable[[int], Case], judged: Callable[[Case, int], NDArray[np.bool_]], view: Callable[[Case], int],
          rate: float, seeds: range) -> list[dict[str, float]]:  # fmt: skip
    """Per seed: accuracy of the plain head, of the one that knows the rate, and of the one that knows the labels."""
    out = []
    for seed in seeds:
        case = make(seed)
        judge = judged(case, seed)
        inner, outer = case.rows(~judge), case.rows(judge)
        label = np.where(flips(inner, rate, seed), -inner.label, inner.label)
        fold, x = folds(inner.group, 5, seed), torch.from_numpy(case.matrix(view(case))).double()
        found = {}
        for name, own, known in (("none", label, 0.0), ("rate", label, rate), ("oracle", inner.label, 0.0)):
            pairs = inner.pairs(own)
            rows = x[pairs.better] - x[pairs.worse]
            scale = rows.square().mean(0).sqrt().clamp_min(1e-9)
            w = chosen(rows / scale, known, fold) / scale
            gap = ((x[outer.first] - x[outer.second]) @ w).numpy() * outer.label
            found[name] = float(((gap > 0) + 0.5 * (gap == 0)).mean())
        out.append(found)
    return out


def row(name: str, runs: list[dict[str, float]], against: Callable[..., dict[str, float]]) -> list[Any]:
    """One line of the table: means, the gain with its interval, the share of the cost."""
    mean = {k: float(np.mean([r[k] for r in runs])) for k in runs[0]}
    gain = against(runs, "rate", "none")
    cost = mean["oracle"] - mean["none"]
    words = f"{gain['difference']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    return [name, len(runs), mean["none"], mean["rate"], mean["oracle"], words, gain["difference"] / cost]
