"""Which labels are wrong? Planted flips, and who finds them: the committee, one model, training loss, cleanlab, length.

    PLAUDIT_DATA=... python benchmarks/noise.py [--sets NAME,NAME] [--seeds 3] [--store DIR] [--trunks minilm-l6]

For every set, rate and kind of flip: AUROC for the planted flips with a 95 % interval (bootstrap over prompt groups,
the mean over seeds), precision among the most suspicious 5 %, and how accurate the same members are on clean labels.
`reference` is the committee trained out of fold on UNFLIPPED labels: what these members could reach at best.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import machine, write
from noise_sets import SETS, Case, flips, vector
from plaudit.data.split import folds
from plaudit.metrics.detection import auroc, precision_at
from plaudit.metrics.intervals import mean_interval, percentiles
from plaudit.models.members import Member
from plaudit.seeds import generator
from plaudit.signals.price import cross_fitted_slope, sigmoid
from plaudit.training.heads import fit

RATES = (0.1, 0.25, 0.4)
DRAWS = 400


def oriented(case: Case, label: NDArray, members: list[Member], fold: NDArray, **how: Any) -> NDArray[np.float64]:
    """Margins of the FIRST response over the second, [P, K], by members trained under `label`."""
    margins, _ = fit(case.matrix, case.pairs(label), fold, members, **how)
    return margins * label[:, None]


def suspicions(case: Case, label: NDArray, seed: int) -> dict[str, NDArray[np.float64]]:
    """Per method one number a row, higher = more likely wrong, under the labels as they stand."""
    fold = folds(case.group, 5, seed)
    deep = case.members[0]
    one = Member(deep.view, "linear", seed)
    votes = oriented(case, label, case.members, fold) * label[:, None]
    alone = oriented(case, label, [one], fold)[:, 0] * label
    inside = oriented(case, label, case.members, fold, in_sample=True) * label[:, None]
    loss = oriented(case, label, [one], fold, in_sample=True)[:, 0] * label
    better = np.where(label > 0, case.first, case.second)
    worse = np.where(label > 0, case.second, case.first)
    return {
        "committee": -votes.mean(1), "one model": -alone, "in-sample vote": -inside.mean(1), "training loss": -loss,
        "cleanlab, one model": cleanlab(alone, label, fold),
        "cleanlab, committee": cleanlab(votes.mean(1), label, fold),
        "length": -(case.chars[better] - case.chars[worse]).astype(float),
        "ten seeds, one view": -(oriented(case, label, [Member(deep.view, "linear", s) for s in range(10)], fold)
                                 .mean(1) * label),
    }  # fmt: skip


def cleanlab(margin: NDArray, label: NDArray, fold: NDArray) -> NDArray[np.float64]:
    """cleanlab's label quality (self-confidence, thresholds adjusted) from out-of-fold probabilities, negated."""
    from cleanlab.rank import get_label_quality_scores

    p = sigmoid(cross_fitted_slope(margin, np.ones(len(margin)), fold) * margin)  # of the label as it stands
    first = np.where(label > 0, p, 1 - p)
    return -get_label_quality_scores(
        (label > 0).astype(int), np.stack([1 - first, first], 1), method="self_confidence", adjust_pred_probs=True
    )


def interval(by_seed: list[tuple[NDArray, NDArray]], group: NDArray) -> dict[str, float]:
    """Mean AUROC over seeds with a bootstrap over prompt groups, the same groups in every seed."""
    kinds, place = np.unique(group, return_inverse=True)
    order = np.argsort(place, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(place))[:-1])
    draw = generator(0, "noise interval")
    drawn = []
    for _ in range(DRAWS):
        take = np.concatenate([rows[i] for i in draw.integers(0, len(kinds), len(kinds))])
        drawn.append(np.mean([auroc(s[take], w[take]) for s, w in by_seed]))
    low, high = percentiles(np.array(drawn))
    return {"auroc": float(np.mean([auroc(s, w) for s, w in by_seed])), "low": float(low), "high": float(high)}


def gap(by_seed: dict[str, list], group: NDArray, one: str, other: str) -> dict[str, float]:
    """Difference in AUROC of two methods, bootstrap over prompt groups."""
    kinds, place = np.unique(group, return_inverse=True)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    draw = generator(0, "noise difference")

    def difference(take: NDArray) -> float:
        pairs = zip(by_seed[one], by_seed[other], strict=True)
        return float(np.mean([auroc(a[take], w[take]) - auroc(b[take], w[take]) for (a, w), (b, _) in pairs]))

    drawn = [difference(np.concatenate([rows[i] for i in draw.integers(0, len(kinds), len(kinds))]))
             for _ in range(DRAWS)]  # fmt: skip
    low, high = percentiles(np.array(drawn))
    return {"difference": difference(np.arange(len(group))), "low": float(low), "high": float(high)}


def reference(case: Case, fold_seed: int) -> NDArray[np.float64]:
    """Committee margins of the first response, out of fold, trained on the labels as they really are."""
    return oriented(case, case.label, case.members, folds(case.group, 5, fold_seed)).mean(1)


def block(case: Case, kind: str, rate: float, seeds: int, planted: NDArray | None = None) -> dict[str, Any]:
    """Every method on one set at one rate."""
    found: dict[str, list] = {}
    top: dict[str, list[float]] = {}
    for seed in range(seeds):
        wrong = flips(case, rate, seed, kind) if planted is None else planted
        label = np.where(wrong, -case.label, case.label)
        methods = suspicions(case, label, seed)
        methods["reference"] = -reference(case, seed) * label
        for name, suspicion in methods.items():
            found.setdefault(name, []).append((suspicion, wrong))
            top.setdefault(name, []).append(precision_at(suspicion, wrong))
    rows = {
        name: {**interval(pairs, case.group), "precision_top_5": float(np.mean(top[name]))}
        for name, pairs in found.items()
    }
    others = ("one model", "training loss", "cleanlab, one model", "ten seeds, one view", "length")
    return {
        "set": case.name, "kind": kind, "rate": rate, "planted": float(np.mean([w.mean() for _, w in found["committee"]])),
        "n": len(case), "groups": len(np.unique(case.group)), "seeds": seeds, "methods": rows,
        "way_to_reference": (rows["committee"]["auroc"] - 0.5) / (rows["reference"]["auroc"] - 0.5),
        "committee_minus": {name: gap(found, case.group, "committee", name) for name in others},
    }  # fmt: skip


def clean_accuracy(case: Case) -> dict[str, float]:
    """Of the same members, out of fold, on labels as they came: what limits the search."""
    right = reference(case, 0) * case.label > 0
    found = mean_interval(right.astype(float), case.group)
    return {"accuracy": float(right.mean()), "low": found.low, "high": found.high}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default="vector world," + ",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trunks", default="minilm-l6")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--name", default="noise")
    args = parser.parse_args()
    trunks = args.trunks.split(",")
    blocks: list[dict[str, Any]] = []
    clean = {}
    for name in args.sets.split(","):
        case = vector(4000, 11) if name == "vector world" else SETS[name](args.store, trunks)
        clean[case.name] = clean_accuracy(case)
        print(case.name, len(case), clean[case.name], flush=True)
        plans = [("uniform", rate) for rate in RATES] + ([("length", 0.25)] if not case.given else [])
        given = [("given", int(level) / 100, planted) for level, planted in case.given.items()]
        for kind, rate, planted in [(k, r, None) for k, r in plans if not case.given] + given:
            blocks.append(block(case, kind, rate, 1 if planted is not None else args.seeds, planted))
            show(blocks[-1])
    write(args.name, document(blocks, clean, trunks, args.seeds))


def document(blocks: list[dict[str, Any]], clean: dict[str, dict], trunks: list[str], seeds: int) -> dict[str, Any]:
    """What results.py prints."""
    where = machine()
    worlds = [b for b in blocks if b["set"] in ("text world", "vector-v1") and b["rate"] == 0.25]
    bars = [
        {"name": f"{b['set']}, 25 % uniform flips: way from 0.5 to the same members on unflipped labels",
         "bar": "at least 90 %", "value": b["way_to_reference"], "at_least": 0.9}
        for b in worlds if b["kind"] == "uniform"
    ] + [
        {"name": f"{b['set']}, length-correlated flips: committee above {other} (lower end of the difference)",
         "bar": "above 0", "value": b["committee_minus"][other]["low"], "at_least": 0.0}
        for b in worlds if b["kind"] == "length" for other in ("one model", "training loss", "cleanlab, one model")
    ] + [
        {"name": f"{b['set']}, {b['kind']} {b['rate']:.0%}: committee above cleanlab on one model (difference)",
         "bar": "above 0", "value": b["committee_minus"]["cleanlab, one model"]["difference"], "at_least": 0.0}
        for b in blocks if b["set"] not in ("text world", "vector-v1")
    ]  # fmt: skip
    tables = []
    for name in dict.fromkeys(b["set"] for b in blocks):
        own = [b for b in blocks if b["set"] == name]
        methods = list(own[0]["methods"])
        tables.append({
            "title": f"{name}: AUROC for planted flips [95 % interval] (precision in the top 5 %); the same members agree "
                     f"with {clean[name]['accuracy']:.3f} of clean labels",
            "columns": ["method", *(f"{b['kind']} {b['rate']:.0%}" for b in own)],
            "rows": [[m, *(_cell(b["methods"][m]) for b in own)] for m in methods],
        })  # fmt: skip
    return {
        "title": "Finding wrong labels",
        "question": "Which of my labels are wrong: who finds planted flips, and what does the committee add?",
        "what": f"Planted flips in {len(tables)} sets, {seeds} seeds of flips, folds and heads (given flips: one); "
        f"votes out of fold (5 folds by prompt); trunk {', '.join(trunks)}, ten linear members of which one reads only "
        f"length; n and prompts: " + "; ".join(
            f"{n} {next(b['n'] for b in blocks if b['set'] == n):,}/{next(b['groups'] for b in blocks if b['set'] == n):,}"
            for n in dict.fromkeys(b["set"] for b in blocks))
        + f". Intervals: bootstrap over prompts. `reference`: the same members trained on unflipped labels; an oracle "
        f"that knows the clean label has AUROC 1. torch {where['torch']}.",
        "bars": bars, "tables": tables,
        "notes": [],
    }  # fmt: skip


def _cell(row: dict[str, float]) -> str:
    return f"{row['auroc']:.3f} [{row['low']:.3f}, {row['high']:.3f}] ({row['precision_top_5']:.2f})"


def show(found: dict[str, Any]) -> None:
    print(f"  {found['kind']} {found['rate']:.0%}: " + ", ".join(
        f"{name} {row['auroc']:.3f}" for name, row in found["methods"].items()), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
