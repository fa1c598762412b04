"""Does repair help? Planted flips, every treatment, accuracy on clean prompts that neither audit nor training saw.

    PLAUDIT_DATA=... python benchmarks/repair.py [--sets NAME,NAME] [--splits 6] [--store DIR] [--phase fresh|development]

Nested: prompts are set aside with clean labels (a fifth; of the worlds everything but the training part); the rest
gets flips, is audited out of fold by the committee, treated, and one linear head is trained on the treated columns
(ridge by folds inside the training part, on the treated columns themselves). It reads the mean over the response of the
deepest layer that is kept. `oracle` trains on the true labels. Splits, flips and heads are drawn anew each time; the
fresh phase has worlds of its own.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import repair_bound
from harness import standing, write
from noise_sets import SETS, Case, flips, vector
from plaudit.data.split import folds, held_out
from plaudit.signals.noise import estimate
from plaudit.signals.price import price
from plaudit.signals.recipes import steps, treat
from plaudit.signals.targets import Targets
from plaudit.signals.votes import Votes
from plaudit.training.heads import RIDGES, fit
from plaudit.training.solve import principal, solve

RATES = (0.0, 0.1, 0.25, 0.4)
POLICIES: dict[str, tuple[str, ...]] = {
    "none": (), "flip 10 %": ("flip-10",), "flip 10 % + margin": ("flip-10-margin",), "soft + margin": ("soft-margin",),
    "margin": ("margin",), "smooth 0.2": ("smooth:alpha=0.2",), "soften": ("soften",),
    "flip, p_disagree > 0.5": ("flip:above=0.5",), "flip, p_wrong > 0.5": ("flip:wrong=0.5",),
    "flip, p_wrong > 0.7": ("flip:wrong=0.7",), "drop, p_disagree > 0.5": ("drop:above=0.5",),
    "drop, p_wrong > 0.5": ("drop:wrong=0.5",),
    "flip, p_wrong > 0.7, and weight": ("flip:wrong=0.7", "weight:by=right"),
    "weight by agreement": ("weight",), "weight 1 - p_wrong": ("weight:by=right",), "default (mend)": ("mend",),
}  # fmt: skip
DEFAULT = "default (mend)"
SIZES = {"vector world": 6400, "text world": 1600}  # comparisons to train on; 25 % flips must cost four points there


def trained(x: torch.Tensor, policies: Sequence[Targets], group: NDArray, seed: int) -> torch.Tensor:
    """One linear head [H, policies] on each policy's columns; its ridge is the one that predicts these columns best."""
    scale = x.square().mean(0).sqrt().clamp_min(1e-9)
    axes = principal(x / scale)
    scaled = (x / scale) @ axes
    count, size = len(policies), len(RIDGES)
    wide = lambda name: torch.from_numpy(  # noqa: E731
        np.stack([getattr(t, name) for t in policies], 1).astype(np.float32)
    ).repeat_interleave(size, 1)  # [P, policies x ridges]
    t, m, w = wide("target"), wide("margin"), wide("weight")
    ridge = torch.tensor(RIDGES).repeat(count)
    fold = folds(group, 5, seed)
    loss = torch.zeros(count * size)
    for f in range(5):
        seen = torch.from_numpy((fold != f).astype(np.float32))[:, None]
        gap = scaled @ solve(scaled, w * seen, t, ridge, margin=m) - m
        loss += (w * (1 - seen) * (torch.nn.functional.softplus(gap) - t * gap)).sum(0)
    best = loss.view(count, size).argmin(1) + torch.arange(count) * size
    heads = solve(scaled, w[:, best].contiguous(), t[:, best].contiguous(), ridge[best], margin=m[:, best].contiguous())
    return (axes @ heads) / scale[:, None]


def judged(case: Case, size: int | None, seed: int) -> NDArray[np.bool_]:
    """Which comparisons are set aside [P]: a fifth by prompt, or with `size` all but about so many."""
    share = 0.2 if size is None else max(1 - size / len(case), 0.2)
    return held_out(case.group, fraction=share, at_most=10**9, seed=1000 + seed)


def head_view(case: Case) -> int:
    """The view that the trained head reads: the deepest layer's mean over the response, else the first."""
    means = [v for v, view in enumerate(case.views) if view.trunk == 0 and view.pool == "mean"]
    return means[0] if means else 0


def one(case: Case, rate: float, seed: int, kind: str, size: int | None = None) -> dict[str, float]:
    """Accuracy on the clean outer rows of every policy, for one split and one draw of flips."""
    judge = judged(case, size, seed)
    inner, outer = case.rows(~judge), case.rows(judge)
    wrong = flips(inner, rate, seed, kind)
    label = np.where(wrong, -inner.label, inner.label)
    fold = folds(inner.group, 5, seed)
    margins, _ = fit(inner.matrix, inner.pairs(label), fold, inner.members)
    ones = np.ones(len(inner))
    signals = price(Votes(margins, fold, ones, tuple(str(k) for k in range(margins.shape[1]))))
    signals = signals.having(p_wrong=estimate(signals["mean"], ones, ones).p_wrong)
    x = case.matrix(head_view(case))
    pairs = inner.pairs(label)
    told = signals.having(p_wrong=np.nan_to_num(signals["p_wrong"]))  # what cannot be told is not acted on
    columns = {
        name: treat(signals if name == DEFAULT else told, steps(policy), ones)[0] for name, policy in POLICIES.items()
    }
    columns["oracle"] = Targets(np.where(wrong, 0.0, 1.0), 0 * ones, ones)
    rows = torch.from_numpy(x[pairs.better] - x[pairs.worse])
    heads = trained(rows, list(columns.values()), inner.group, seed)
    gap = (torch.from_numpy(x[outer.first] - x[outer.second]) @ heads).numpy() * outer.label[:, None]
    return dict(zip(columns, ((gap > 0) + 0.5 * (gap == 0)).mean(0).tolist(), strict=True))


def against(runs: list[dict[str, float]], name: str, other: str) -> dict[str, float]:
    """Mean difference over draws with a 95 % t interval: draws differ in split, flips and heads."""
    from scipy.stats import t

    gap = np.array([r[name] - r[other] for r in runs])
    half = float(t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("nan")
    return {"difference": float(gap.mean()), "low": float(gap.mean()) - half, "high": float(gap.mean()) + half}


def table(make: Callable[[int], Case], rate: float, seeds: range, kind: str, size: int | None) -> dict[str, Any]:
    """Every policy at one rate: mean accuracy, its difference to `none`, and the share of the loss won back."""
    runs = [one(make(seed), rate, seed, kind, size) for seed in seeds]
    mean = {name: float(np.mean([r[name] for r in runs])) for name in runs[0]}
    cost = mean["oracle"] - mean["none"]
    return {
        "kind": kind, "rate": rate, "draws": len(runs), "first_seed": seeds.start, "accuracy": mean,
        "minus_none": {name: against(runs, name, "none") for name in mean if name != "none"},
        "won_back": {name: (mean[name] - mean["none"]) / cost if cost > 0.002 else None for name in mean},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(["vector world", *(s for s in SETS if s != "text world, fresh")]))
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--n", type=int, default=0, help="comparisons to train on, instead of what SIZES says")
    parser.add_argument("--rates", type=lambda s: [float(r) for r in s.split(",")], default=[], help="only these")
    parser.add_argument("--phase", choices=["development", "fresh"], default="fresh")
    parser.add_argument("--trunks", default="minilm-l6")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--kept", type=Path, default=Path.home() / ".cache/plaudit/repair", help="finished columns")
    parser.add_argument("--again", action="store_true", help="do not take finished columns: the code has changed")
    args = parser.parse_args()
    first = 0 if args.phase == "development" else 100
    found: dict[str, list] = {}
    bound: list[list] = []
    for name in args.sets.split(","):
        size = args.n or SIZES.get(name)
        seeds = range(first, first + args.splits)
        if name == "vector world":
            make = lambda seed: vector(SIZES["vector world"] + 4000, 5000 + seed)  # noqa: E731 - a world of its own each time
        else:
            called = "text world, fresh" if name == "text world" and args.phase == "fresh" else name
            whole = SETS[called](args.store, args.trunks.split(","))
            make = lambda seed, whole=whole: whole  # noqa: E731
        plans = [("uniform", r) for r in RATES] + [("length", 0.25)]
        plans = [p for p in plans if not args.rates or (p[1] in args.rates and p[0] == "uniform")]
        found[name] = []
        for kind, rate in plans:
            place = args.kept / f"{name} {size or 'all'} {kind} {rate:g} {seeds.start}-{seeds.stop} {args.trunks}.json"
            if not place.exists() or args.again:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(json.dumps(table(make, rate, seeds, kind, size)), encoding="utf-8")
            found[name].append(json.loads(place.read_text(encoding="utf-8")))
            show(name, found[name][-1])
        if name in SIZES:
            place = args.kept / f"{name} {size} bound {seeds.start}-{seeds.stop} {args.trunks}.json"
            if not place.exists() or args.again:
                runs = repair_bound.draws(make, lambda case, s, n=size: judged(case, n, s), head_view, 0.25, seeds)
                place.write_text(json.dumps(runs), encoding="utf-8")
            bound.append(repair_bound.row(name, json.loads(place.read_text(encoding="utf-8")), against))
            print(*bound[-1], flush=True)
    if args.phase == "fresh":
        write("repair", document(found, bound, args.trunks, standing("repair")))


def document(found: dict[str, list], bound: list[list], trunks: str, old: dict[str, Any]) -> dict[str, Any]:
    """What results.py prints."""
    of = lambda named: named.split(",")[0].split(":")[0]  # noqa: E731 - the set that a bar or a table speaks of
    bars = []
    for name in ("vector world", "text world"):
        for row in found.get(name, []):
            if row["kind"] == "uniform" and row["rate"] == 0.25:
                cost = row["accuracy"]["oracle"] - row["accuracy"]["none"]
                bars += [
                    {"name": f"{name}: 25 % flips cost", "bar": "at least 4 points", "value": cost, "at_least": 0.04},
                    {"name": f"{name}: share of it that the default wins back", "bar": "at least 50 %",
                     "value": row["won_back"][DEFAULT], "at_least": 0.5},
                    {"name": f"{name}: lower end of the default's gain at 25 %", "bar": "above 0",
                     "value": row["minus_none"][DEFAULT]["low"], "at_least": 0.0},
                ]  # fmt: skip
            if row["kind"] == "uniform" and row["rate"] == 0:
                bars.append({"name": f"{name}: lower end of the default's difference at 0 % flips",
                             "bar": "above -0.5 point", "value": row["minus_none"][DEFAULT]["low"],
                             "at_least": -0.005})  # fmt: skip
    tables = [
        {"title": f"{name}, {rows[0]['draws']} draws: accuracy on clean outer prompts (difference to none [95 %]; share of the loss won back)",
         "columns": ["policy", *(f"{r['kind']} {r['rate']:.0%}" for r in rows)],
         "rows": [[policy, *(_cell(r, policy) for r in rows)] for policy in rows[0]["accuracy"]]}
        for name, rows in found.items()
    ]  # fmt: skip
    known = ["vector world", *SETS]
    tables += [t for t in old["tables"] if of(t["title"]) in known and of(t["title"]) not in found]
    tables.sort(key=lambda t: known.index(of(t["title"])))
    bars = [b for b in old["bars"] if of(b["name"]) not in found] + bars
    bound = [
        r for t in old["tables"] if t["title"].startswith("What could") for r in t["rows"] if r[0] not in found
    ] + bound
    tables.append({"title": "What could be won back at 25 % uniform flips: one head that knows their rate (accuracy)", "columns": [
        "set", "draws", "none", "knows the rate", "oracle", "gain [95 %]", "share of the cost"], "rows": bound})  # fmt: skip
    return {
        "title": "Repairing labels", "question": "Does training on the repaired labels win back what wrong labels cost?",
        "what": f"Every draw has its own split, flips and heads, and in the vector world a world of its own. Trained on: "
        f"{', '.join(f'{name} {n:,}' for name, n in SIZES.items())} comparisons, of other sets four fifths of the prompts; all other prompts "
        f"judge with their clean labels and are never audited. One linear head on the mean over the response of the "
        f"deepest layer kept ({trunks} for text), ridge by folds on the treated columns; intervals over draws (t). `oracle` "
        f"knows the true labels. The default policy was chosen on other seeds and, of the text world, other rows "
        f"(--phase development).",
        "bars": bars, "tables": tables, "notes": [],
    }  # fmt: skip


def _cell(row: dict[str, Any], policy: str) -> str:
    text = f"{row['accuracy'][policy]:.3f}"
    if d := row["minus_none"].get(policy):
        text += f" ({d['difference']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]"
        won = row["won_back"][policy]
        text += f"; {won:.0%})" if won is not None else ")"
    return text


def show(name: str, row: dict[str, Any]) -> None:
    print(f"{name} {row['kind']} {row['rate']:.0%}", flush=True)
    for policy, value in row["accuracy"].items():
        won, d = row["won_back"][policy], row["minus_none"].get(policy)
        print(f"  {policy:28s} {value:.3f}" + (f"  {d['difference']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]" if d else "")
              + (f"  won back {won:.0%}" if won is not None else ""), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
