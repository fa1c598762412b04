"""MLP heads of a committee, all folds and members in the same batched products, each with its own order and stop.

One hidden layer, GELU, no output bias. AdamW; after every epoch the log loss on the rows out of a head's own bag is
taken, and the head keeps the weights of its best epoch.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu, softplus

from plaudit.models.members import Fitted, Member, mlp
from plaudit.seeds import generator
from plaudit.training.bags import Outside, Pairs, bootstrap, log_loss

HIDDEN, EPOCHS, BATCH, RATE, DECAY = 64, 12, 64, 3e-3, 0.1


def fit_mlp(
    view: NDArray[np.float32], pairs: Pairs, seen: Sequence[NDArray], held: Sequence[NDArray],
    crew: Sequence[Member], trust: NDArray[np.float64], outside: Outside, in_sample: bool,
) -> list[Fitted]:  # fmt: skip
    """One `Fitted` a member, its weights stacked over folds. In-sample members train one epoch on every row.

    `trust` [P, F] multiplies the weights; `outside` hears what each head says out of its bag.
    """
    features = torch.from_numpy(view)
    plans = [(m, f) for m in crew for f in range(len(seen))]
    rows = []
    for m, f in plans:
        counts = np.ones(len(pairs)) if in_sample else bootstrap(pairs.group, m.seed)
        drawn = np.repeat(np.arange(len(pairs)), (counts * seen[f]).astype(int))
        rows.append((drawn, seen[f] & (counts == 0)))
    center, scale = _standard(features, pairs)
    net = _start([m.seed for m, _ in plans], features.shape[1])
    weight = np.stack([pairs.weight * trust[:, f] for _, f in plans])  # [G, P]
    seeds = [m.seed for m, _ in plans]
    best, best_loss = _train((features - center) / scale, pairs, weight, rows, seeds, net, in_sample)
    best["w1"] = best["w1"] / scale[None, :, None]
    best["b1"] = best["b1"] - torch.einsum("h,ghm->gm", center, best["w1"])
    with torch.no_grad():
        for g, (_, f) in enumerate(plans):
            score = mlp({k: v[g : g + 1] for k, v in best.items()}, features)[0]
            gap = score[torch.from_numpy(pairs.better)] - score[torch.from_numpy(pairs.worse)]
            outside.hear(f, gap.numpy(), rows[g][1])
            best["w2"][g] /= float(gap[torch.from_numpy(held[f])].square().mean().sqrt()) or 1.0
    stacked = {k: v.numpy().reshape(len(crew), len(seen), *v.shape[1:]) for k, v in best.items()}
    loss = best_loss.reshape(len(crew), len(seen))
    none = np.zeros(len(seen))
    return [Fitted(m, {k: v[i] for k, v in stacked.items()}, none, loss[i]) for i, m in enumerate(crew)]


def _standard(features: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Mean and deviation of every feature [H] over the responses compared."""
    used = features[torch.from_numpy(np.unique(np.concatenate([pairs.better, pairs.worse])))]
    scale = used.std(0, unbiased=False)
    return used.mean(0), torch.where(scale > 1e-6 * scale.max().clamp_min(1e-30), scale, torch.ones_like(scale))


def _start(seeds: Sequence[int], width: int) -> dict[str, Tensor]:
    draws = [generator(s, "mlp-head") for s in seeds]
    w1 = np.stack([d.normal(0, width**-0.5, (width, HIDDEN)) for d in draws]).astype(np.float32)
    w2 = np.stack([d.normal(0, HIDDEN**-0.5, HIDDEN) for d in draws]).astype(np.float32)
    return {"w1": torch.from_numpy(w1), "b1": torch.zeros(len(seeds), HIDDEN), "w2": torch.from_numpy(w2)}


def _train(
    features: Tensor, pairs: Pairs, weight: NDArray, rows: Sequence[tuple[NDArray, NDArray]], seeds: Sequence[int],
    net: dict[str, Tensor], in_sample: bool,
) -> tuple[dict[str, Tensor], NDArray[np.float64]]:  # fmt: skip
    """Every head's weights at its best epoch, and its out-of-bag loss there [G]."""
    live = {k: v.requires_grad_() for k, v in net.items()}
    decayed, free = [live["w1"], live["w2"]], [live["b1"]]
    step = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": free, "weight_decay": 0.0}], lr=RATE
    )
    best = {k: v.detach().clone() for k, v in live.items()}
    best_loss = np.full(len(seeds), np.inf)
    longest = max(len(drawn) for drawn, _ in rows)
    for epoch in range(1 if in_sample else EPOCHS):
        order = np.stack([_order(drawn, longest, s, epoch) for (drawn, _), s in zip(rows, seeds, strict=True)])
        for at in range(0, longest, BATCH):
            _update(features, pairs, weight, order[:, at : at + BATCH], live, step)
        loss = _bag_loss(features, pairs, weight, rows, live)
        better = torch.from_numpy(np.isnan(loss) | (loss < best_loss))
        for k, v in live.items():
            best[k][better] = v.detach()[better]
        best_loss = np.where(better.numpy(), loss, best_loss)
    return best, best_loss


def _order(drawn: NDArray, length: int, seed: int, epoch: int) -> NDArray:
    """A head's own order of its own bag; a shorter bag begins again, so that all heads take equal steps."""
    shuffled = generator(seed, "mlp-order", epoch).permutation(drawn) if len(drawn) else np.zeros(1, np.int64)
    return np.resize(shuffled, length)


def _update(features: Tensor, pairs: Pairs, weights: NDArray, rows: NDArray, net: dict[str, Tensor], step) -> None:
    both = np.concatenate([pairs.better[rows], pairs.worse[rows]], 1)  # [G, 2B]
    hidden = gelu(torch.baddbmm(net["b1"][:, None], features[torch.from_numpy(both)], net["w1"]))
    score = torch.einsum("gbm,gm->gb", hidden, net["w2"])
    gap = score[:, : rows.shape[1]] - score[:, rows.shape[1] :]
    target = torch.from_numpy(pairs.target[rows])
    weight = torch.from_numpy(np.take_along_axis(weights, rows, 1))
    loss = (weight * (softplus(gap) - target * gap)).sum(1) / weight.sum(1).clamp_min(1e-30)
    step.zero_grad()
    loss.sum().backward()  # heads share no weight, so each gets its own gradient
    step.step()


@torch.no_grad()
def _bag_loss(features: Tensor, pairs: Pairs, weight: NDArray, rows, net: dict[str, Tensor]) -> NDArray[np.float64]:
    """Log loss of every head on its out-of-bag rows [G]; NaN where it has none."""
    scores = mlp(net, features).double().numpy()
    out = np.full(len(rows), np.nan)
    for g, (_, left) in enumerate(rows):
        gap = scores[g, pairs.better[left]] - scores[g, pairs.worse[left]]
        out[g] = log_loss(gap[:, None], pairs.target[left], weight[g, left])[0]
    return out
