"""Does the interval of the rate of wrong labels hold the rate? Planted flips in worlds whose clean labels are known.

    PLAUDIT_DATA=... python benchmarks/rate_coverage.py [--draws 20] [--n 1600] [--store DIR]

The audit's own road: heads out of fold on comparisons drawn anew each time, then `signals/noise.py`. Every rate of flips
of every world is one row; it is added to rate_coverage.json when it is done. Nothing is chosen here.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from harness import machine, write
from noise_sets import SETS, Case, flips, vector
from plaudit.data.split import folds, held_out
from plaudit.metrics.intervals import wilson
from plaudit.signals.noise import WIDEST, estimate
from plaudit.signals.price import price
from plaudit.signals.votes import Votes
from plaudit.training.heads import fit

RATES = (0.0, 0.1, 0.25, 0.4)
FIRST_SEED = 300


def one(case: Case, rate: float, seed: int) -> dict[str, float]:
    """The rate that was planted in one draw, and the audit's estimate of it with its ends."""
    wrong = flips(case, rate, seed)
    fold = folds(case.group, 5, seed)
    margins, _ = fit(case.matrix, case.pairs(np.where(wrong, -case.label, case.label)), fold, case.members)
    ones = np.ones(len(case))
    signals = price(Votes(margins, fold, ones, tuple(str(k) for k in range(margins.shape[1]))))
    told, low, high, _ = estimate(signals["mean"], ones, ones).rates["all"]
    return {"planted": float(wrong.mean()), "told": told, "low": low, "high": high}


def drawn(name: str, n: int, seed: int, whole: Case | None) -> Case:
    """About n comparisons of a world: a world of its own each time, or other prompts of the same one."""
    if whole is None:
        return vector(n, 7000 + seed)
    return whole.rows(held_out(whole.group, fraction=n / len(whole), at_most=10**9, seed=seed))


def row(name: str, rate: float, runs: list[dict[str, float]]) -> list[Any]:
    held = [r["low"] <= r["planted"] <= r["high"] for r in runs]
    sure = [r["high"] - r["low"] < WIDEST for r in runs]
    low, high = wilson(sum(held), len(held))
    mean = lambda key: float(np.mean([r[key] for r in runs]))  # noqa: E731
    return [
        name, f"{rate:.0%}", len(runs), float(np.mean(held)), float(low), float(high), mean("planted"), mean("told"),
        mean("high") - mean("low"), float(np.mean(sure)), float(np.mean(np.array(held)[sure])) if any(sure) else None,
    ]  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--draws", type=int, default=20)
    ask.add_argument("--n", type=int, default=1600)
    ask.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    args = ask.parse_args()
    rows: list[list[Any]] = []
    for name in ("vector world", "text world"):
        whole = None if name == "vector world" else SETS[name](args.store, ["minilm-l6"])
        for rate in RATES:
            seeds = range(FIRST_SEED, FIRST_SEED + args.draws)
            rows.append(row(name, rate, [one(drawn(name, args.n, s, whole), rate, s) for s in seeds]))
            print(*rows[-1], flush=True)
            write("rate_coverage", document(rows, args))


def document(rows: list[list[Any]], args: Any) -> dict[str, Any]:
    return {
        "title": "The rate of wrong labels",
        "question": "Does the audit's interval hold the true rate of wrong labels?",
        "what": f"Uniform flips planted in about {args.n:,} comparisons of a world, drawn {args.draws} times (a vector world of its own each time; of "
        f"one text world of 4,000 other prompts and other flips, so its draws overlap); the default committee out of fold (of text on minilm-l6), then the "
        f"uniform noise model of `plaudit audit`. Held: the share of draws whose 95 % interval holds the share of labels "
        f"that was planted wrong, with Wilson's interval. Told: the interval is narrower than {WIDEST:.2f}, so `p_wrong` is filled. torch {machine()['torch']}.",
        "bars": [],
        "tables": [{"title": "planted and told", "columns": [
            "world", "flips", "draws", "held", "low", "high", "planted", "estimate (mean)", "width (mean)", "told", "held where told",
        ], "rows": rows}],
    }  # fmt: skip


if __name__ == "__main__":
    main()
