"""Do influence predictions hold, and do they find wrong labels beside the committee?

    PLAUDIT_DATA=... python benchmarks/influence.py [--store DIR] [--seeds 2]

Predictions: rows are left out one by one and the head is trained again; 20 at random and the 20 largest. Search: planted
flips in vector worlds and in HH helpful, AUROC with a 95 % interval (bootstrap over prompts). 200 prompts with the labels
as they came before any flip are set aside as trusted rows; nobody votes on them, and only the methods that say so use them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness import machine, write
from noise import interval, oriented
from noise_sets import SETS, Case, flips, vector
from plaudit.auditing.influence import (
    Agreement,
    Rows,
    agreement,
    fit_head,
    judged,
    leave_out_check,
    left_out,
    rows_of,
    self_influence,
)
from plaudit.auditing.influence_curved import Margins, curved_effects, fit_curved, mlp_gap
from plaudit.auditing.influence_noise import harm, pick_ridge
from plaudit.data.split import folds
from plaudit.data.worlds import make
from plaudit.metrics.detection import auroc
from plaudit.models.members import Member
from plaudit.seeds import generator
from plaudit.training.heads import RIDGES

TRUSTED = 200  # prompts
PRESETS = ("vector-v1-flip25", "vector-v1-bt-flip25", "vector-v1-length25", "vector-v1-groups")


def rows(case: Case, label: NDArray, view: int) -> Rows:
    """The comparisons of a set under these labels, in one view."""
    return rows_of(case.matrix(view), case.pairs(label))


def suspicions(case: Case, label: NDArray, trusted: Case, seed: int) -> dict[str, NDArray[np.float64]]:
    """Per method one number a row, higher = more likely wrong."""
    fold = folds(case.group, 5, seed)
    view = case.members[0].view
    one = [Member(view, "linear", seed)]
    own, clean = rows(case, label, view), rows(trusted, trusted.label, view)
    found = harm(own, fold)
    supple = harm(own, fold, stiff=None)
    helped = harm(own, fold, trusted=clean)
    whole = fit_head(own, found.ridge[0])
    alone = fit_head(
        clean,
        pick_ridge(clean, folds(trusted.group, 5, seed), RIDGES, np.ones(clean.x.shape[1])),
        scale=np.ones(clean.x.shape[1]),
    )
    views = sorted({m.view for m in case.members})
    each = {v: found if v == view else harm(rows(case, label, v), fold) for v in views}
    votes = [each[m.view].influence / (each[m.view].influence.std() or 1.0) for m in case.members]
    committee = (oriented(case, label, case.members, fold) * label[:, None]).mean(1)
    return {
        "committee": -committee,
        "one model": -oriented(case, label, one, fold)[:, 0] * label,
        "training loss": -oriented(case, label, one, fold, in_sample=True)[:, 0] * label,
        "influence, stiff head": found.influence,
        "influence, stiff heads on the committee's views": np.mean(votes, 0),
        "committee and influence": np.mean(votes, 0) / np.mean(votes, 0).std() - committee / committee.std(),
        "influence, best ridge": supple.influence,
        "self-influence, out of fold": found.own,
        "self-influence, in sample": self_influence(whole, own),
        "influence on trusted rows, stiff head": helped.influence,
        "head of the trusted rows alone": -alone.margins(own),
    }  # fmt: skip


def apart(case: Case, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows of the 200 trusted prompts, and the others."""
    kinds = np.unique(case.group)
    chosen = generator(seed, "trusted prompts").choice(kinds, min(TRUSTED, len(kinds) // 4), replace=False)
    inside = np.isin(case.group, chosen)
    return inside, ~inside


def block(
    name: str, draws: list[tuple[Case, NDArray[np.bool_]]], oracle: Callable[[int, NDArray], float] | None
) -> dict[str, Any]:
    """Every method on one set at one rate; a draw is a set with its true labels and the flips planted in it."""
    found: dict[str, list] = {}
    groups = None
    best = []
    for seed, (case, wrong) in enumerate(draws):
        trusted, others = apart(case, 0)
        some, turned = case.rows(others), wrong[others]
        label = np.where(turned, -some.label, some.label)
        groups = some.group
        for method, suspicion in suspicions(some, label, case.rows(trusted), seed).items():
            found.setdefault(method, []).append((suspicion, turned))
        if oracle:
            best.append(oracle(seed, others))
    cells = {method: interval(pairs, groups) for method, pairs in found.items()}
    print(name, {k: round(v["auroc"], 3) for k, v in cells.items()}, best, flush=True)
    return {"set": name, "n": len(groups), "seeds": len(draws), "planted": float(np.mean([w.mean() for _, w in draws])),
            "methods": cells, "oracle": float(np.mean(best)) if best else None}  # fmt: skip


def world_block(preset: str, seeds: int, n: int = 3000) -> dict[str, Any]:
    worlds = [make(preset, n=n, seed=40 + s) for s in range(seeds)]
    draws = []
    for s, w in enumerate(worlds):
        case = vector(n, 40 + s, preset)
        case.label = np.where(w.truth.flipped, -case.label, case.label)  # what an honest judge said
        draws.append((case, w.truth.flipped))
    return block(preset, draws, lambda s, keep: auroc(worlds[s].truth.p_wrong[keep], worlds[s].truth.flipped[keep]))


def predictions(name: str, case: Case, rate: float, n: int) -> list[dict[str, Any]]:
    """Left-out rows of a linear head: 20 at random, the 20 with the largest predicted effect."""
    wrong = flips(case, rate, 0)
    label = np.where(wrong, -case.label, case.label)
    all_rows = rows(case, label, case.members[0].view)
    fold = folds(case.group, 5, 0)
    train, judge = np.flatnonzero(fold > 0)[:n], np.flatnonzero(fold == 0)
    own, held = all_rows.take(train), all_rows.take(judge)
    ridge = pick_ridge(own, fold[train], RIDGES, np.ones(own.x.shape[1]))
    head = fit_head(own, ridge)
    kind = np.where(case.chars[case.first[judge]] > case.chars[case.second[judge]], "longer first", "shorter first")
    size = np.abs(left_out(head, own, judged(head, held, kind))).max(0)
    picks = {"20 at random": generator(0, "left out").choice(len(own), 20, replace=False),
             "20 largest": np.argsort(-size)[:20]}  # fmt: skip
    out = []
    for how, which in picks.items():
        out.append(cell(f"{name}, linear head", how, len(own), leave_out_check(head, own, held, kind, which)))
    return out


def cell(name: str, how: str, n: int, held: Agreement) -> dict[str, Any]:
    found = {"what": name, "rows": how, "n": n, "correlation": held.correlation, "slope": held.slope}
    print(found, flush=True)
    return found


def curved_predictions(n: int = 600) -> list[dict[str, Any]]:
    """The same for an MLP head at a minimum, by conjugate gradients."""
    case = vector(n + 300, 70, "vector-v1-flip10")
    x = torch.from_numpy(case.matrix(0).astype(np.float64))
    pairs = case.pairs(case.label)
    better, worse = torch.from_numpy(pairs.better), torch.from_numpy(pairs.worse)
    one = torch.ones(n, dtype=torch.float64)
    train = Margins(mlp_gap(x, better[:n], worse[:n]), one, one)
    judge = Margins(mlp_gap(x, better[n:], worse[n:]), one[:300], one[:300])
    draw = torch.Generator().manual_seed(0)
    start = {"w1": torch.randn(64, 8, generator=draw, dtype=torch.float64) / 8, "b1": torch.zeros(8, dtype=torch.float64),
             "w2": torch.randn(8, generator=draw, dtype=torch.float64) / 8**0.5}  # fmt: skip
    kind = np.arange(300) % 2
    net = fit_curved(train, start, ridge=0.02)
    which = generator(1, "left out").choice(n, 20, replace=False)
    realised = []
    for i in which:
        weight = one.clone()
        weight[i] = 0
        again = fit_curved(Margins(train.gap, one, weight), net, ridge=0.02)
        loss = judge.losses(again).detach().numpy()
        realised.append([loss[kind == g].mean() for g in (0, 1)])
    out = []
    for curvature in ("hessian", "gauss-newton"):
        found = curved_effects(train, judge, kind, net, ridge=0.02, curvature=curvature)
        held = agreement(-found.effect[:, which], np.array(realised).T - found.loss[:, None])
        out.append(cell(f"vector-v1-flip10, MLP head, {curvature}", "20 at random", n, held))
    return out


def remark(b: dict[str, Any]) -> str:
    """The comparison in one sentence."""
    m = {k: v["auroc"] for k, v in b["methods"].items()}
    best = max((k for k in m if "trusted" not in k), key=lambda k: m[k])
    return (
        f"{b['set']}: influence from a stiff head {m['influence, stiff head']:.3f}, the committee {m['committee']:.3f}, both "
        f"together {m['committee and influence']:.3f}; best without trusted rows: {best} ({m[best]:.3f})."
    )


def document(checks: list[dict[str, Any]], blocks: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    """What results.py prints."""
    methods = list(blocks[0]["methods"])
    random = [c for c in checks if c["rows"] == "20 at random"]
    return {
        "title": "Influence of single comparisons",
        "question": "Can it be foretold what a comparison does to a model, and does that find wrong labels?",
        "what": f"Linear heads at their optimum (exact curvature) and an MLP head at a minimum (conjugate gradients); a "
        f"row is left out and the head trained again. Search for planted flips: {seeds} seeds, votes out of fold (5 folds "
        f"by prompt), minilm-l6 features for HH helpful (its labels before the planted flips are taken as true); 200 "
        f"prompts set aside as trusted rows. n: " + ", ".join(f"{b['set']} {b['n']:,}" for b in blocks)
        + f". torch {machine()['torch']}.",
        "bars": [
            {"name": f"{c['what']}: rank correlation of predicted and realised change over 20 rows", "bar": "above 0.9",
             "value": c["correlation"], "at_least": 0.9} for c in random
        ],
        "tables": [
            {"title": "Left out and trained again: change of the loss of two validation groups",
             "columns": ["head", "rows", "training rows", "rank correlation", "realised / predicted"],
             "rows": [[c["what"], c["rows"], c["n"], round(c["correlation"], 3), round(c["slope"], 3)] for c in checks]},
            {"title": "AUROC for planted flips [95 % interval]; the oracle knows the noise model and the gold rewards",
             "columns": ["method", *(f"{b['set']} ({b['planted']:.0%})" for b in blocks)],
             "rows": [[m, *(f"{b['methods'][m]['auroc']:.3f} [{b['methods'][m]['low']:.3f}, {b['methods'][m]['high']:.3f}]" for b in blocks)] for m in methods]
             + [["oracle", *("" if b["oracle"] is None else f"{b['oracle']:.3f}" for b in blocks)]]},
        ],
        "notes": [remark(b) for b in blocks],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--quick", action="store_true", help="vector worlds only, nothing written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    checks = predictions("vector-v1", vector(2000, 60), 0.25, 1000) + curved_predictions()
    blocks = [world_block(p, args.seeds) for p in PRESETS]
    if args.quick:
        return
    case = SETS["hh-helpful"](args.store, ["minilm-l6"])
    checks += predictions("hh-helpful", case, 0.0, 2000)
    for rate in (0.1, 0.25, 0.4):
        blocks.append(block(f"hh-helpful {rate:.0%}", [(case, flips(case, rate, s)) for s in range(args.seeds)], None))
    write("influence", document(checks, blocks, args.seeds))


if __name__ == "__main__":
    main()
