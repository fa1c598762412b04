"""FairIF: do predicted disparities come about, and what does evening out cost?

    PLAUDIT_DATA=... python benchmarks/fairif.py [--store DIR] [--seeds 10]

Three sets. "tastes": a majority and two minorities (70, 20, 10 %) who want partly different things of the same features.
"noisy groups": three groups, each with features of its own, whose training labels are flipped at 5, 20 and 40 %; validation
and test labels are clean. "hh-helpful": real pairs on minilm-l6 features, grouped by whether the chosen answer is the
longer one. A validation set (a fifth of the rows) gives group losses and chooses nothing else; ridge is chosen inside the
training rows; the tables are from test rows that nothing has seen.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from harness import machine, write
from noise_sets import SETS, Case
from plaudit.auditing.influence import Head, Rows, fit_head, rows_of, unit_scale
from plaudit.auditing.influence_fair import Standing, Trial, fairif, standing
from plaudit.auditing.influence_noise import pick_ridge
from plaudit.auditing.influence_rivals import balanced, group_dro
from plaudit.data.split import folds
from plaudit.seeds import generator
from plaudit.training.heads import RIDGES

PENALTIES = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
SHOWN = (10.0, 3.0, 1.0, 0.3, 0.1)
SMALL = 0.25  # a tilt whose largest weight moves by no more is called small


@dataclass
class Draw:
    """Training, validation and test rows with their groups; `oracle`: weights by name that FairIF could not know."""

    train: Rows
    train_kind: NDArray
    judge: Rows
    judge_kind: NDArray
    test: Rows
    test_kind: NDArray
    cluster: NDArray
    oracle: dict[str, NDArray[np.float64]]


def _strict(x: NDArray[np.float64]) -> Rows:
    one = np.ones(len(x))
    return Rows(x, one, one, 0 * one)


def tastes(seed: int, n: int = 1500, width: int = 24) -> Draw:
    """Bradley-Terry labels; the minorities' gold is turned by 60 and 90 degrees from the majority's."""
    draw = generator(seed, "fairif tastes")
    own = np.linalg.qr(draw.normal(0, 1, (width, 2)))[0].T * 3.0  # [2, width], orthogonal
    gold = np.stack([own[0], 0.5 * own[0] + np.sqrt(0.75) * own[1], own[1]])

    def some(count: int, even: bool) -> tuple[Rows, NDArray]:
        kind = draw.choice(3, count, p=[1 / 3] * 3 if even else [0.7, 0.2, 0.1])
        x = draw.normal(0, 1, (count, width))
        up = draw.random(count) < 1 / (1 + np.exp(-(x * gold[kind]).sum(1)))
        return _strict(x * np.where(up, 1, -1)[:, None]), kind.astype(str)

    train, kind = some(n, False)
    judge, judge_kind = some(240, True)
    test, test_kind = some(8000, False)
    return Draw(train, kind, judge, judge_kind, test, test_kind, np.arange(8000),
                {"oracle: groups balanced": balanced(kind)})  # fmt: skip


def noisy_groups(seed: int, n: int = 1500, width: int = 30) -> Draw:
    """Each group's answers differ mostly in its own third of the features; the oracle drops the flipped rows."""
    draw = generator(seed, "fairif noisy groups")
    gold = draw.normal(0, 1, width)
    gold *= 3.0 / np.sqrt((gold**2).sum() / 3)
    rates = np.array([0.05, 0.2, 0.4])

    def some(count: int, noise: bool) -> tuple[Rows, NDArray, NDArray]:
        kind = draw.integers(0, 3, count)
        size = np.full((count, width), 0.2)
        for g in range(3):
            size[np.ix_(kind == g, np.arange(width) // (width // 3) == g)] = 1.0
        x = draw.normal(0, 1, (count, width)) * size
        up = draw.random(count) < 1 / (1 + np.exp(-x @ gold))
        wrong = (draw.random(count) < rates[kind]) & noise
        return _strict(x * np.where(up ^ wrong, 1, -1)[:, None]), kind.astype(str), wrong

    train, kind, wrong = some(n, True)
    judge, judge_kind, _ = some(240, False)
    test, test_kind, _ = some(6000, False)
    reliable = 1 / rates[kind.astype(int)]
    oracle = {
        "oracle: no flipped rows": (~wrong).astype(float),
        "oracle: groups by 1 / flip rate": reliable / reliable.mean(),
    }
    return Draw(train, kind, judge, judge_kind, test, test_kind, np.arange(6000), oracle)


def by_length(case: Case, seed: int) -> Draw:
    """Real pairs by whether the chosen answer is the longer one; equal lengths left out. Three fifths are trained on."""
    pairs = case.pairs(case.label)
    gap = case.chars[pairs.better] - case.chars[pairs.worse]
    kind = np.where(gap > 0, "chosen longer", "chosen shorter")
    all_rows = rows_of(case.matrix(case.members[0].view), pairs)
    fold = folds(case.group, 5, seed)
    train, judge, test = ((fold > 1) & (gap != 0), (fold == 1) & (gap != 0), (fold == 0) & (gap != 0))
    return Draw(all_rows.take(train), kind[train], all_rows.take(judge), kind[judge], all_rows.take(test), kind[test],
                case.group[test], {"oracle: groups balanced": balanced(kind[train])})  # fmt: skip


def one(draw: Draw, seed: int) -> tuple[dict[str, Standing], list[Trial], float]:
    """Test standing of every policy, the trials behind FairIF's, and how far group-DRO is from its optimum at most."""
    rows = draw.train
    ridge = pick_ridge(rows, generator(seed, "fairif folds").integers(0, 5, len(rows)), RIDGES, unit_scale(rows.x))
    found = fairif(rows, draw.judge, draw.judge_kind, ridge=ridge, penalties=PENALTIES)

    def weighed(weight: NDArray[np.float64]) -> Head:
        return fit_head(rows.weighing(weight), ridge, start=found.head)

    robust = group_dro(rows, draw.train_kind, ridge=ridge)
    heads = {"plain": found.head}
    heads |= {f"FairIF, penalty {trial.penalty:g}": trial.head for trial in found.trials if trial.penalty in SHOWN}
    heads |= {name: weighed(weight) for name, weight in draw.oracle.items()}
    heads |= {
        "group-DRO": robust.head,
        "validation rows only": fit_head(draw.judge, ridge),
        "training and validation rows": fit_head(_joined(rows, draw.judge), ridge),
    }  # fmt: skip
    stand = {name: standing(h, draw.test, draw.test_kind, draw.cluster) for name, h in heads.items()}
    return stand, list(found.trials), robust.gap


def _joined(a: Rows, b: Rows) -> Rows:
    return Rows(*(np.concatenate([getattr(a, k), getattr(b, k)]) for k in ("x", "target", "weight", "margin")))


def slope(trials: list[Trial], small: bool) -> dict[str, float]:
    """Realised change of the sum of squared gaps on predicted change, least squares through 0; range over seeds apart."""
    kept = [s for s in trials if not small or np.abs(s.fair.tilt).max() <= SMALL]
    p, r = np.array([s.foreseen for s in kept]), np.array([s.came for s in kept])
    each = r / p
    return {"slope": float(p @ r / (p @ p)), "low": float(each.min()), "high": float(each.max()), "n": len(kept)}


def mean_of(runs: list[dict[str, Standing]], name: str, what: Callable[[Standing], float]) -> tuple[float, float]:
    """Mean over draws and half of its 95 % t interval."""
    v = np.array([what(run[name]) for run in runs])
    return float(v.mean()), float(t.ppf(0.975, len(v) - 1) * v.std(ddof=1) / np.sqrt(len(v)))


def table(name: str, runs: list[dict[str, Standing]]) -> dict[str, Any]:
    """Fairness beside utility, per policy."""
    groups = runs[0]["plain"].names

    def cell(policy: str, what: Callable[[Standing], float], digits: int = 3) -> str:
        value, half = mean_of(runs, policy, what)
        return f"{value:.{digits}f} ± {half:.{digits}f}"

    rows = []
    for policy in runs[0]:
        change = np.array([run[policy].overall - run["plain"].overall for run in runs])
        half = float(t.ppf(0.975, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change)))
        rows.append([
            policy, *(cell(policy, lambda s, g=g: float(s.loss[g])) for g in range(len(groups))),
            cell(policy, lambda s: s.loss_gap),
            *(cell(policy, lambda s, g=g: float(s.accuracy[g])) for g in range(len(groups))),
            cell(policy, lambda s: s.accuracy_gap), cell(policy, lambda s: s.overall),
            "" if policy == "plain" else f"{100 * change.mean():+.1f} ± {100 * half:.1f}",
        ])  # fmt: skip
    return {
        "title": f"{name}: test rows, mean over {len(runs)} draws ± 95 % (t)",
        "columns": ["policy", *(f"loss, {g}" for g in groups), "widest gap in loss", *(f"accuracy, {g}" for g in groups),
                    "widest gap in accuracy", "accuracy over all", "points against plain"],
        "rows": rows,
    }  # fmt: skip


def remark(name: str, runs: list[dict[str, Standing]], bound: float) -> str:
    """The comparison in one sentence."""
    said = []
    for policy in ("FairIF, penalty 0.1", *(p for p in runs[0] if p.startswith("oracle")), "group-DRO"):
        gap, _ = mean_of(runs, policy, lambda s: s.loss_gap)
        before, _ = mean_of(runs, "plain", lambda s: s.loss_gap)
        worth = 100 * np.mean([run[policy].overall - run["plain"].overall for run in runs])
        said.append(f"{policy} {before:.2f} to {gap:.2f} for {worth:+.1f} points of accuracy")
    return (
        f"{name}, widest gap in loss on test rows: "
        + "; ".join(said)
        + f" (its worst group within {bound:.3f} of the best possible)."
    )


def document(found: dict[str, tuple[list, list, float]], seeds: int) -> dict[str, Any]:
    """What results.py prints."""
    bars, slopes, tables, notes = [], [], [], []
    for name, (runs, trials, bound) in found.items():
        small = slope(trials, True)
        bars += [
            {"name": f"{name}: slope of realised on predicted disparity, weights within 1 ± {SMALL}", "bar": "at least 0.8",
             "value": small["slope"], "at_least": 0.8},
            {"name": f"{name}: the same slope", "bar": "at most 1.2", "value": small["slope"], "at_most": 1.2},
        ]  # fmt: skip
        for penalty in PENALTIES:
            some = [s for s in trials if s.penalty == penalty]
            slopes.append([
                name, f"{penalty:g}", f"{np.mean([np.abs(s.fair.weight - 1).max() for s in some]):.2f}",
                f"{np.mean([s.fair.clipped for s in some]):.1%}", f"{np.mean([s.foreseen for s in some]):+.5f}",
                f"{np.mean([s.came for s in some]):+.5f}", f"{slope(some, False)['slope']:.2f}",
            ])  # fmt: skip
        tables.append(table(name, runs))
        notes.append(remark(name, runs, bound))
        print(name, small, slope(trials, False), flush=True)
    return {
        "title": "Fair weights (FairIF)",
        "question": "Can weights on training rows even out what a reward model costs different groups, as foretold, and at what price?",
        "what": f"Linear heads; {seeds} draws of each set (hh-helpful: splits by prompt; minilm-l6 features). Tastes: 1,500 "
        "training rows, groups of 70, 20, 10 % (test alike), 240 validation rows, even; noisy groups: 1,500 rows, flips 5, 20, 40 %, 240 "
        "clean validation rows, clean test; hh-helpful: chosen answer longer or shorter. FairIF reads no training groups, group-DRO and the oracles do; "
        f"oracles: true group balance (tastes, hh-helpful), no flipped rows or groups by 1 / flip rate (noisy groups). torch {machine()['torch']}.",
        "bars": bars,
        "tables": [
            {"title": "Change of the sum of squared gaps in validation loss, predicted and after training again",
             "columns": ["set", "penalty", "largest change of a weight", "rows at a bound", "predicted", "realised", "slope"],
             "rows": slopes},
            *tables,
        ],
        "notes": notes,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", default="tastes,noisy groups,hh-helpful")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    args = parser.parse_args()
    makers: dict[str, Callable[[int], Draw]] = {"tastes": tastes, "noisy groups": noisy_groups}
    if "hh-helpful" in args.sets:
        case = SETS["hh-helpful"](args.store, ["minilm-l6"])
        makers["hh-helpful"] = lambda seed: by_length(case, seed)
    found: dict[str, tuple[list, list, float]] = {}
    for name in args.sets.split(","):
        runs = [one(makers[name](seed), seed) for seed in range(args.seeds)]
        found[name] = [r for r, _, _ in runs], [s for _, trials, _ in runs for s in trials], max(g for _, _, g in runs)
        for row in table(name, found[name][0])["rows"]:
            print("  ", *row, sep=" | ", flush=True)
    done = document(found, args.seeds)
    if len(found) == 3:
        write("fairif", done)


if __name__ == "__main__":
    main()
