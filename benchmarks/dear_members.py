"""Are dearer members better judges? Planted flips, found by linear heads on one pass, LoRA members and whole models.

    PLAUDIT_DATA=... python benchmarks/dear_members.py [--n 1600] [--members 3] [--seeds 100,101] [--cache DIR]

`plaudit audit` on text world files whose labels are flipped with chance 1/4, once for every kind of member; the same
rows, folds and flips. AUROC of p_disagree for the flips, paired bootstrap over prompts against ten linear heads; how
often the votes agree with clean labels. What they cost stands in audit_speed.json. Finished audits are kept.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plaudit
from harness import machine, write
from plaudit.auditing.store import load
from plaudit.data.worlds import make
from plaudit.data.worlds._files import save
from plaudit.metrics.detection import auroc
from plaudit.metrics.intervals import percentiles
from plaudit.seeds import generator

KINDS: dict[str, dict[str, Any]] = {
    "ten linear heads (default)": {"heads": "linear"},
    "ten MLP heads": {"heads": "mlp"},
    "LoRA members": {"heads": "lora", "learning_rate": 5e-4},
    "whole models": {"heads": "full", "learning_rate": 1e-4},
}
DRAWS = 400


def audited(n: int, seed: int, members: int, cache: Path) -> dict[str, tuple[NDArray, NDArray, NDArray, NDArray]]:
    """Per kind of member: p_disagree, mean margin, which rows are flipped, prompt group; rows in file order."""
    folder = cache / f"text-v1-flip25 {n} {seed}"
    folder.mkdir(parents=True, exist_ok=True)
    pairs, truth = folder / "pairs.jsonl", folder / "truth.jsonl"
    if not truth.exists():
        save(make("text-v1-flip25", n=n, seed=seed), pairs, truth)
    told = {row["id"]: row for row in map(json.loads, truth.read_text(encoding="utf-8").splitlines())}
    out = {}
    for name, how in KINDS.items():
        few = {} if how["heads"] in ("linear", "mlp") else {"members": members}
        place = folder / f"{how['heads']} {few.get('members', 10)}"
        if not (place / "audit.json").exists():
            plaudit.audit([pairs], output_dir=place, model="minilm-l6", cache=folder / "cache", seed=seed, **how, **few)
        signals, _ = load(place)
        flipped = np.array([bool(told[str(i)]["flipped"]) for i in signals["id"]])
        out[name] = signals["p_disagree"], signals["mean"], flipped, signals["group"]
    return out


def compared(runs: list[dict], name: str, base: str) -> list[Any]:
    """AUROC, its gap to the base with a bootstrap over prompts (mean over seeds), agreement with clean labels."""
    draw = generator(0, "dear members")
    found, gaps = [], []
    for run in runs:
        p, mean, flipped, _ = run[name]
        found.append((auroc(p, flipped), float(((mean > 0) != flipped).mean())))
    for _ in range(DRAWS):
        each = []
        for run in runs:
            p, _, flipped, group = run[name]
            kinds, place = np.unique(group, return_inverse=True)
            weight = np.bincount(draw.integers(0, len(kinds), len(kinds)), minlength=len(kinds))[place]
            rows = np.repeat(np.arange(len(p)), weight)
            each.append(auroc(p[rows], flipped[rows]) - auroc(run[base][0][rows], flipped[rows]))
        gaps.append(float(np.mean(each)))
    low, high = percentiles(np.array(gaps))
    mine, theirs = float(np.mean([f[0] for f in found])), float(np.mean([auroc(r[base][0], r[base][2]) for r in runs]))
    return [name, mine, mine - theirs, float(low), float(high), float(np.mean([f[1] for f in found]))]


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--n", type=int, default=1600)
    ask.add_argument("--members", type=int, default=3, help="of the trained kinds; each is trained once a fold")
    ask.add_argument("--seeds", default="100,101")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache/plaudit/dear-members")
    args = ask.parse_args()
    seeds = [int(s) for s in args.seeds.split(",")]
    runs = [audited(args.n, seed, args.members, args.cache) for seed in seeds]
    rows = [compared(runs, name, next(iter(KINDS))) for name in KINDS]
    for row in rows:
        print(*row)
    write("dear_members", {
        "title": "Dearer members", "question": "Do LoRA members or whole models judge labels better than heads on one pass?",
        "what": f"text world, {args.n:,} comparisons, labels flipped with chance 1/4, seeds {args.seeds}; minilm-l6; five folds; ten "
        f"heads, or {args.members} trained members (one epoch, learning rate 5e-4 for LoRA and 1e-4 for whole models, set beforehand); interval: bootstrap over "
        f"prompts of the gap to the default; torch {machine()['torch']}.",
        "bars": [],
        "tables": [{"title": "who finds the flips", "columns": ["members", "AUROC", "minus default", "low", "high",
                    "agrees with clean labels"], "rows": rows}],
        "notes": [],
    })  # fmt: skip


if __name__ == "__main__":
    main()
