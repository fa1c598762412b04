"""Few comparisons of most pairs: does iterative data smoothing help, beside early stopping and ridge?

    python benchmarks/smoothing.py [--draws 100] [--phase fresh|development]

First its algebra: what is conserved and where it settles, through the trainer's own label store. Then scores of arms
(`smoothing_arms.py`) whose comparisons are Zipf over pairs or over arms. beta, lambda and the epoch to stop at are chosen
by the loss on held-out comparisons (5 folds) and refitted on all; the truth judges, nothing is chosen by it.
"""

import argparse
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from harness import machine, write
from plaudit.training.batches import Columns
from plaudit.training.labels import Labels
from plaudit.training.options import TrainOptions
from plaudit.training.relabel import smoothing
from repair import against
from smoothing_arms import (
    ARMS,
    BUSIEST,
    EPOCHS,
    FOLDS,
    JUDGES,
    PAIRS,
    SETTLED,
    duels,
    fitted,
    judged,
    over_arms,
    over_pairs,
)

# step, beta, comparisons, share won, and the difference that solves sigmoid(d) = share - beta / (step comparisons) d
LIMITS = (
    (0.1, 0.01, 1, 1.0, 1.633506), (0.1, 0.1, 1, 1.0, 0.401058), (0.01, 0.01, 100, 0.7, 0.809061),
    (0.001, 0.001, 1000, 0.7, 0.843285), (0.1, 0.1, 1, 0.7, 0.160069),
)  # fmt: skip

# its algebra


def limits() -> list[list[Any]]:
    """Per setting of LIMITS: what was expected, the closed form, the path's end, the largest breach of the sum."""
    rows = []
    for step, beta, n, rate, expected in LIMITS:
        d, m = smoothing.tabular(0.0, rate, step=step, beta=beta, n=n, epochs=20000)
        kept = beta * d + step * n * m
        rows.append([step, beta, n, rate, expected, smoothing.limit(step, beta, n, rate), float(d[-1]),
                     float(np.abs(kept - kept[0]).max())])  # fmt: skip
    return rows


def store(step: float = 0.02, beta: float = 0.05, epochs: int = 3000) -> tuple[float, float]:
    """(largest breach of the sum, largest distance from the limit) of Zipf-count pairs in the trainer's label store."""
    count = np.maximum(1, np.round(BUSIEST / np.arange(1, 25))).astype(int)
    won = np.maximum(1, np.round(0.7 * count)).astype(int)
    pair = np.repeat(np.arange(len(count)), count)
    n = len(pair)
    target = (np.arange(n) - np.repeat(np.cumsum(count) - count, count) < won[pair]).astype(float)
    one, even = np.ones(n), np.arange(0, 2 * n, 2)
    columns = Columns(np.arange(n), 0 * even, 0 * even + 1, target, 0 * one, one, [(0, 1)] * n, [], one)
    labels = Labels(columns, TrainOptions(smoothing_beta=beta))
    side = {"place": torch.arange(n), "slot": torch.arange(2 * n)}
    batch: Any = SimpleNamespace(weight=torch.ones(n), side=side, better=torch.from_numpy(even),
                                 worse=torch.from_numpy(even + 1))  # fmt: skip
    d, breach = np.zeros(len(count)), 0.0
    first = step * won
    for _ in range(epochs):
        scores = torch.zeros(2 * n, dtype=torch.float64)
        scores[::2] = torch.from_numpy(d[pair])
        labels.after([batch], scores)
        d = d + step * np.bincount(pair, labels.columns.target - expit(d[pair]))
        labels.epoch()
        breach = max(breach, float(np.abs(beta * d + step * np.bincount(pair, labels.columns.target) - first).max()))
    ends = [smoothing.limit(step, beta, c, w / c) for c, w in zip(count.tolist(), won.tolist(), strict=True)]
    return breach, float(np.abs(d - ends).max())


# what is written


def spread(values: list[float]) -> str:
    """Mean over draws and half of its 95 % t interval."""
    found = against([{"x": v, "0": 0.0} for v in values], "x", "0")
    return f"{found['difference']:.3f} ± {found['high'] - found['difference']:.3f}"


def tables(name: str, runs: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Every judge of every method, and smoothing's paired difference to the others."""
    column = lambda method, judge: [run[method][judge] for run in runs]  # noqa: E731
    rows = [[m, *(spread(column(m, j)) for j in JUDGES)] for m in runs[0]]
    gaps = []
    for other in [m for m in runs[0] if m not in ("smoothing", "the truth")]:
        cells = []
        for judge in JUDGES:
            d = against([{m: run[m][judge] for m in run} for run in runs], "smoothing", other)
            cells.append(f"{d['difference']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]")
        gaps.append([other, *cells])
    return [
        {"title": f"{name}: mean over {len(runs)} draws ± 95 %", "columns": ["scores", *JUDGES], "rows": rows},
        {"title": f"{name}: smoothing (beta by held-out loss) minus the others [95 %]",
         "columns": ["against", *JUDGES], "rows": gaps},
    ]  # fmt: skip


def remark(name: str, facts: list[dict[str, float]]) -> str:
    """What was chosen, and what the draws look like."""
    middle = {key: float(np.median([f[key] for f in facts])) for key in facts[0]}
    apart = max(f["from ridge"] for f in facts)
    return (
        f"{name}: {middle['comparisons']:.0f} comparisons, {middle['once']:.0%} of the compared pairs once (medians over draws, as "
        f"all of these): step {middle['step']:.3f}, beta {middle['beta']:g}, lambda {middle['lambda']:g}, stopped after "
        f"{middle['stopped']:.0f} of {EPOCHS:,} epochs. Run to its end from 0, smoothing is ridge with lambda = beta / step (it "
        f"follows from what is conserved): no score was further than {apart:.1e} from that ridge, for every beta from {SETTLED:g} on. "
        f"{middle['always']:.0f} arms won or lost all of their comparisons and have no maximum likelihood: after {EPOCHS:,} epochs the "
        f"largest score was {middle['largest']:.1f}."
    )


def document(found: dict[str, tuple[list, list]], first_seed: int) -> dict[str, Any]:
    """What results.py prints."""
    rows, (breach, distance) = limits(), store()
    arms = max(f["breach"] for _, facts in found.values() for f in facts)
    apart = max(max(abs(r[5] - r[4]), abs(r[6] - r[4])) for r in rows)
    bar = lambda name, value, most: {"name": name, "bar": f"at most {most:g}", "value": value, "at_most": most}  # noqa: E731
    draws = len(next(iter(found.values()))[0])
    return {
        "title": "Iterative data smoothing",
        "question": "Does smoothing labels help where most pairs were compared once, and is early stopping or ridge as good?",
        "what": f"{ARMS} arms, strengths from a standard normal, Bradley-Terry comparisons; {draws} draws from seed {first_seed} on, "
        f"intervals over draws (t). Over pairs: {PAIRS} random pairs, the r-th compared {BUSIEST} / r times or once; over arms: as "
        f"many comparisons, arms come up with chance 1 / r. Gap error: root mean square error of the difference between two arms, "
        f"over all pairs, those compared once, those compared 10 times or more; accuracy and log loss: of fresh comparisons between "
        f"two random arms, in expectation; regret: the best strength minus that of the highest score. beta, lambda and epochs by "
        f"held-out loss, {FOLDS} folds of comparisons, refitted on all. torch {machine()['torch']}.",
        "bars": [
            bar("conserved, one pair, five settings: largest deviation", max(r[7] for r in rows), 1e-10),
            bar("conserved, 24 Zipf-count pairs in the trainer's label store: largest deviation", breach, 1e-10),
            bar("conserved, per arm, over all draws, folds and betas: largest deviation", arms, 1e-10),
            bar("the five limits, closed form and path: largest deviation", apart, 1e-6),
            bar("limits of the label store's pairs against the closed form: largest deviation", distance, 1e-6),
        ],
        "tables": [t for name, (runs, _) in found.items() for t in tables(name, runs)] + [
            {"title": "Where one pair settles (20,000 epochs)",
             "columns": ["step", "beta", "comparisons", "share won", "expected", "closed form", "path", "breach of the sum"],
             "rows": [[*r[:4], *(f"{v:.6f}" for v in r[4:7]), f"{r[7]:.1e}"] for r in rows]},
        ],
        "notes": [remark(name, facts) for name, (_, facts) in found.items()],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--phase", choices=["development", "fresh"], default="fresh")
    args = parser.parse_args()
    first = 0 if args.phase == "development" else 100
    found: dict[str, tuple[list, list]] = {}
    for name, kind in {"Zipf over pairs": over_pairs, "Zipf over arms": over_arms}.items():
        runs, facts = [], []
        for seed in range(first, first + args.draws):
            world = duels(kind, seed)
            scores, more = fitted(world)
            runs.append({method: judged(world, values) for method, values in scores.items()})
            facts.append(more)
        found[name] = runs, facts
        for table in tables(name, runs):
            print(table["title"], *(" | ".join(map(str, row)) for row in table["rows"]), sep="\n  ", flush=True)
        print(remark(name, facts), flush=True)
    done = document(found, first)
    print(*(f"{b['name']}: {b['value']:.2e}" for b in done["bars"]), sep="\n")
    if args.phase == "fresh":
        write("smoothing", done)


if __name__ == "__main__":
    main()
