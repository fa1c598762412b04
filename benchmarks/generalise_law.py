"""The shifted law of the vector world: a small network on feature pairs, trained by the trainer's own steps.

    python benchmarks/generalise_law.py [--seeds 5]      # settings, on plain training and development seeds alone

`generalise.py` runs every arm on fresh seeds. The network stands in for a language model, which cannot read features;
objective, optimiser, order, views on what the head reads, MetaRM and schedule are those of `plaudit train`.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from noise_sets import vector
from plaudit.seeds import seed_for
from plaudit.signals.targets import Targets
from plaudit.training import schedule
from plaudit.training.batches import Batch, rows_of, steps_per_epoch
from plaudit.training.contrast import contrast_for
from plaudit.training.extras import Extras
from plaudit.training.options import TrainOptions
from plaudit.training.start import accelerator_for, objective_for, optimizer_for
from plaudit.training.steps._gradient import Ascent
from plaudit.training.unlabelled import Unlabelled
from plaudit.training.views import Draw, masks
from repair import trained as ridge_heads

USUAL, SHIFTED = "vector-v1", "vector-v1-shifted"
PAIRS, JUDGED, WIDTH = 600, 4000, 64
EPOCHS, RATE = 8.0, 3e-3  # the best of `main` below
GROUPS = {"shifted groups": SHIFTED, "usual groups": USUAL}  # what `meta` may name here, instead of a file


@dataclass
class Table:
    """What a step reads of a token tree, for responses that are rows of features [R, d]."""

    table: Tensor
    owner: NDArray[np.int64]
    which: NDArray[np.int64]
    records: list[int]
    tokens: tuple = ()
    padding: int = 0
    position: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    reads: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def table(pairs: NDArray) -> Table:
    """Pairs of responses [n, 2, d], pair after pair."""
    owner, which = np.divmod(np.arange(2 * len(pairs)), 2)
    return Table(torch.from_numpy(pairs.reshape(2 * len(pairs), -1)), owner, which, list(range(len(pairs))))


class Net(nn.Module):
    """Features [R, d] to what the head reads, h [R, WIDTH], to scores [R]; reads twice under noise on h like `Views`."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed_for(seed, "benchmark net"))
        self.trunk = nn.Sequential(nn.Linear(width, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.head = nn.Linear(WIDTH, 1, bias=False)

    def forward(self, tree: Table, draw: Draw | None = None) -> Any:
        read = self.trunk(tree.table)
        if draw is None:
            return self.head(read)[..., 0]
        views = read[None] * masks(draw, tree, WIDTH)
        return self.head(views)[..., 0], views


class Groups(Unlabelled):
    """Meta groups that are pairs of features; `encoded` holds them."""

    def batch(self, step: int) -> list[tuple[Table, Tensor]]:
        found = table(np.stack([self.encoded[i] for i in self.rows(step)]))
        return [(found, torch.from_numpy(found.owner))]


@cache
def pairs_of(preset: str, n: int, seed: int) -> NDArray[np.float32]:
    """Features [n, 2, d] of a world, the better response first."""
    case = vector(n, seed, preset)
    x, up = case.matrix(0).reshape(n, 2, -1), case.label > 0
    return np.where(up[:, None, None], x, x[:, ::-1])


def batch_of(pairs: NDArray, rows: NDArray) -> Batch:
    """These rows as one micro-batch."""
    n, slots = len(rows), torch.arange(2 * len(rows))
    one = torch.ones(n)
    return Batch(
        tree=table(pairs[rows]), group=slots // 2, ranks=slots % 2, ratings=torch.full((2 * n, 1), torch.nan),
        better=slots[::2], worse=slots[1::2], target=one, margin=0 * one, weight=one, rows=tuple(rows.tolist()),
        side={"own_weight": torch.ones(2 * n), "slot": slots, "place": torch.from_numpy(rows)},
    )  # fmt: skip


def trained(pairs: NDArray, options: TrainOptions) -> Net:
    """The network after its last step; `options.meta` names one of GROUPS."""
    net, objective, accelerator = Net(pairs.shape[2], options.seed), objective_for(options), accelerator_for(options)
    contrast = contrast_for(options, WIDTH, "hidden")
    if contrast is not None:
        objective.parameters.update(contrast.parameters)
    ascent = None
    if options.meta:
        groups = list(pairs_of(GROUPS[options.meta], len(pairs), 3000 + options.seed))
        ascent = Ascent(Groups(groups, options.batch_size, 0, options.seed, ""), options.meta_eta, options.meta_order)
    extras, optimizer = Extras(None, contrast, ascent), optimizer_for(net, objective, options)
    steps = round(options.epochs * steps_per_epoch(len(pairs), options.batch_size))
    for step in range(steps):
        rate = schedule.rate(step, steps, peak=options.peak(), warmup=options.warmup_ratio, kind="cosine")
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows = rows_of(step, len(pairs), options.batch_size, options.seed)
        around = extras.around(accelerator, options, step)
        extras.step(net, [batch_of(pairs, rows)], objective, optimizer, around=around)
    return net


@torch.no_grad()
def accuracy(net: Net, pairs: NDArray) -> float:
    """Share of pairs whose better response scores higher; ties count half."""
    scores = net(table(pairs)).view(-1, 2)
    gap = scores[:, 0] - scores[:, 1]
    return float(((gap > 0) + 0.5 * (gap == 0)).double().mean())


def one(arms: Mapping[str, Mapping[str, Any]], seed: int) -> dict[str, dict[str, float]]:
    """Accuracy of every arm on both laws, for one draw of training, meta and test pairs; references beside them."""
    lesson = pairs_of(USUAL, PAIRS, seed)
    judges = {law: pairs_of(law, JUDGED, 2000 + seed) for law in (USUAL, SHIFTED)}
    found: dict[str, dict[str, float]] = {}
    for name, arm in arms.items():
        options = TrainOptions(
            epochs=EPOCHS, learning_rate=RATE, seed=seed, device="cpu", **{"contrastive_noise": "hidden", **arm}
        )
        net = trained(lesson, options)
        found[name] = {law: accuracy(net, pairs) for law, pairs in judges.items()}
    told = trained(pairs_of(SHIFTED, PAIRS, 3000 + seed), TrainOptions(epochs=EPOCHS, learning_rate=RATE, seed=seed))
    found["plain, on labelled pairs of the shifted law"] = {law: accuracy(told, pairs) for law, pairs in judges.items()}
    references = {"linear head": linear(seed), "length only": np.eye(lesson.shape[2])[-1]}
    for name, weights in references.items():
        found[name] = {law: float(((p[:, 0] - p[:, 1]) @ weights > 0).mean()) for law, p in judges.items()}
    return found


def linear(seed: int) -> NDArray:
    """Weights [d] of a linear head, ridge by folds, on the same training pairs: the right kind of model for this gold."""
    better, worse = pairs_of(USUAL, PAIRS, seed).swapaxes(0, 1)
    one = np.ones(PAIRS)
    heads = ridge_heads(torch.from_numpy(better - worse), [Targets(one, 0 * one, one)], np.arange(PAIRS), seed)
    return heads[:, 0].numpy()


def main() -> None:
    """Accuracy of plain training on the usual law over a grid; the shifted law is not looked at."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    for epochs, rate in product((1.0, 2.0, 4.0, 8.0), (1e-3, 3e-3, 1e-2)):
        values = []
        for seed in range(args.seeds):
            net = trained(pairs_of(USUAL, PAIRS, seed), TrainOptions(epochs=epochs, learning_rate=rate, seed=seed))
            values.append(accuracy(net, pairs_of(USUAL, JUDGED, 2000 + seed)))
        print(f"{epochs:g} epochs, {rate:g}: {np.mean(values):.4f} ± {np.std(values):.4f}", flush=True)


if __name__ == "__main__":
    main()
