"""Which committee? The same planted flips, committees made in different ways: views, length, MLPs, more trunks.

    PLAUDIT_DATA=... python benchmarks/committee.py [--sets hh-helpful,tldr,text world] [--seeds 3]

Development seeds only (50, 51, ...): `noise.py` judges what is chosen here on seeds of its own. Finished sets stay in
~/.cache/plaudit/committee, so a stopped run goes on.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import machine, write
from noise_methods import oriented
from noise_sets import SETS, Case, flips
from plaudit.data.split import folds
from plaudit.metrics.detection import auroc, precision_at
from plaudit.models.members import LENGTH, Member, View, length_features
from plaudit.records import digest
from plaudit.signals.votes import Votes, likeness

RATE = 0.25
BOTH = ["minilm-l6", "smollm2-135m"]
TRUNKS = {"hh-helpful": BOTH, "hh-harmless": BOTH, "text world": BOTH, "tldr": BOTH[:1]}  # reading TL;DR twice is dear


def compositions(case: Case, trunks: list[str]) -> dict[str, list[Member]]:
    """Ten members each, but where the name says otherwise; a trunk at a time, then all of them together."""
    *deep, length = range(len(case.views))  # as `with_length` has it
    out = {f"one head, {named(case.views[v], trunks)}": [Member(v)] for v in deep}
    out["one head, length"] = [Member(length)]
    for t, trunk in enumerate(trunks):
        own = [v for v in deep if case.views[v].trunk == t]
        means, reads = ([v for v in own if case.views[v].pool == pool] for pool in ("mean", "read"))
        out[f"{trunk}: ten seeds of one view"] = around([own[0]])
        out[f"{trunk}: views"] = around(own)
        out[f"{trunk}: views, means only"] = around(means)
        out[f"{trunk}: views, read points only"] = around(reads)
        out[f"{trunk}: views and length"] = [*around(own, 9), Member(length, "linear", 9)]
        out[f"{trunk}: views, MLPs"] = [replace(m, kind="mlp") for m in around(own)]
    if len(trunks) > 1:
        out["all trunks: views"] = around(deep)
        out["all trunks: views, means only"] = around([v for v in deep if case.views[v].pool == "mean"])
    return out


def around(views: list[int], count: int = 10) -> list[Member]:
    """That many linear members, round the views."""
    return [Member(views[k % len(views)], "linear", k) for k in range(count)]


def named(view: View, trunks: list[str]) -> str:
    """A view in words, with its trunk's name."""
    return f"{trunks[view.trunk]}, layer {view.layer}, {view.pool}"


def with_length(case: Case) -> Case:
    """The same set with length as one more view, the last."""
    preferences, deep = case.preferences, case.matrix
    own = [*case.views, LENGTH]
    return replace(case, views=own, matrix=lambda v: length_features(preferences) if v == len(own) - 1 else deep(v))


def measured(case: Case, members: list[Member], seeds: range) -> dict[str, Any]:
    """AUROC at 25 % flips, precision at the top, accuracy on unflipped labels, likeness, seconds of fitting."""
    found: dict[str, list[float]] = {"auroc": [], "top": [], "clean": [], "likeness": [], "seconds": []}
    for seed in seeds:
        wrong = flips(case, RATE, 50 + seed)
        label = np.where(wrong, -case.label, case.label)
        fold = folds(case.group, 5, 50 + seed)
        start = time.perf_counter()
        votes = oriented(case, label, members, fold) * label[:, None]
        found["seconds"].append(time.perf_counter() - start)
        found["auroc"].append(auroc(-votes.mean(1), wrong))
        found["top"].append(precision_at(-votes.mean(1), wrong))
        alike = likeness(Votes(votes, fold, np.ones(len(case)), tuple(str(k) for k in range(len(members)))))
        off = alike[~np.eye(len(members), dtype=bool)]
        found["likeness"].append(float(off.mean()) if len(off) else 1.0)
        clean = oriented(case, case.label, members, fold).mean(1) * case.label
        found["clean"].append(float((clean > 0).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def table(name: str, store: Path, trunks: list[str], seeds: int) -> dict[str, Any]:
    """Every composition on one set."""
    case = with_length(SETS[name](store, trunks))
    rows = []
    for words, members in compositions(case, trunks).items():
        row = measured(case, members, range(seeds))
        rows.append([words, *(row[k] for k in ("auroc", "top", "clean", "likeness"))])
        print(f"{name}: {words}: {row}", flush=True)
    return {
        "title": f"{name}, {len(case):,} pairs",
        "columns": ["committee", "AUROC at 25 % flips", "precision in the top 5 %", "accuracy on clean labels",
                    "likeness of members"],
        "rows": rows,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(TRUNKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--done", type=Path, default=Path.home() / ".cache/plaudit/committee", help="finished sets")
    args = parser.parse_args()
    args.done.mkdir(parents=True, exist_ok=True)
    tables = []
    for name in args.sets.split(","):
        path = args.done / f"{digest(name, ','.join(TRUNKS[name]), str(args.seeds))}.json"
        if not path.exists():
            path.write_text(json.dumps(table(name, args.store, TRUNKS[name], args.seeds)), encoding="utf-8")
        tables.append(json.loads(path.read_text(encoding="utf-8")))
    write("committee", {
        "title": "Which committee", "question": "What makes a committee better than one model?",
        "what": f"Out-of-fold votes (5 folds by prompt), 25 % uniform flips, mean of {args.seeds} development seeds; pairs that "
        f"fit 512 tokens of every trunk named; a read point is the first token of minilm-l6 and the last of smollm2-135m; "
        f"torch {machine()['torch']}.",
        "bars": [], "tables": tables, "notes": [],
    })  # fmt: skip


if __name__ == "__main__":
    main()
