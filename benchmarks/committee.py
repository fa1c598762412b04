"""Which committee? The same planted flips, committees made in different ways: views, length, MLPs, more trunks.

    PLAUDIT_DATA=... python benchmarks/committee.py [--sets hh-helpful,tldr,text world] [--seeds 3] [--trunks minilm-l6]

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
from plaudit.models.members import LENGTH, Member, length_features
from plaudit.records import digest
from plaudit.signals.votes import Votes, likeness

RATE = 0.25


def compositions(case: Case) -> dict[str, list[Member]]:
    """Ten members each, but where the name says otherwise."""
    *deep, length = range(len(case.views))  # as `with_length` has it
    linear = lambda views: [Member(v, "linear", s) for s, v in enumerate(views)]  # noqa: E731
    out = {f"one head, {case.views[v]}": [Member(v)] for v in deep}
    out["one head, length"] = [Member(length)]
    out["ten seeds of one view"] = linear([deep[0]] * 10)
    out["views"] = linear([deep[k % len(deep)] for k in range(10)])
    out["views and length"] = linear([*(deep[k % len(deep)] for k in range(9)), length])
    out["views and length twice"] = linear([*(deep[k % len(deep)] for k in range(8)), length, length])
    out["views, MLPs"] = [Member(deep[k % len(deep)], "mlp", k) for k in range(10)]
    out["views, in turns, and length"] = [
        Member(deep[k % len(deep)], "mlp" if k % 2 else "linear", k) for k in range(9)
    ] + [Member(length)]
    trunks = sorted({view.trunk for view in case.views if view.trunk >= 0})
    if len(trunks) > 1:
        for t in trunks:
            own = [v for v in deep if case.views[v].trunk == t]
            out[f"views of trunk {t} and length"] = linear([*(own[k % len(own)] for k in range(9)), length])
    return out


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
    for words, members in compositions(case).items():
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
    parser.add_argument("--sets", default="hh-helpful,hh-harmless,tldr,text world")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trunks", default="minilm-l6")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--done", type=Path, default=Path.home() / ".cache/plaudit/committee", help="finished sets")
    parser.add_argument("--name", default="committee")
    args = parser.parse_args()
    args.done.mkdir(parents=True, exist_ok=True)
    tables = []
    for name in args.sets.split(","):
        path = args.done / f"{digest(name, args.trunks, str(args.seeds))}.json"
        if not path.exists():
            path.write_text(json.dumps(table(name, args.store, args.trunks.split(","), args.seeds)), encoding="utf-8")
        tables.append(json.loads(path.read_text(encoding="utf-8")))
    write(args.name, {
        "title": f"Which committee ({args.trunks})", "question": "What makes a committee better than one model?",
        "what": f"Out-of-fold votes (5 folds by prompt), 25 % uniform flips, mean of {args.seeds} development seeds, trunk "
        f"{args.trunks}; torch {machine()['torch']}.",
        "bars": [], "tables": tables, "notes": [],
    })  # fmt: skip


if __name__ == "__main__":
    main()
