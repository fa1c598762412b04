"""Training speed: token trees against TRL's RewardTrainer, its defaults and its grid, both precisions.

    PLAUDIT_DATA=... python benchmarks/train_speed.py [--cells all|default|NAME,NAME] [--repeats 3] [--cache DIR]

Every cell is a full fine-tune of the same pairs in a process of its own (`train_cell.py`). The grid is taken once;
then the cells that decide the bars are taken in turn `--repeats` times. Each finished cell is kept in `--cache`, so a
run that was stopped goes on; `--fresh` forgets what is there. Bars whose cells were not run are written as null.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from harness import data_folder, machine, ratio, write

HERE = Path(__file__).parent
DTYPES = ("float32", "bfloat16")
SHORT = {"float32": "fp32", "bfloat16": "bf16"}


def name_of(cell: dict[str, Any]) -> str:
    """How a cell is called in tables and in `--cells`."""
    words = [cell["side"], SHORT[cell["dtype"]], "checkpointing" if cell["checkpointing"] else "plain"]
    if cell["side"] == "trl":
        words += [f"batch-{cell['batch']}", "by-length" if cell["by_length"] else "random"]
    return " ".join(words)


def our_cells() -> list[dict[str, Any]]:
    return [{"side": "ours", "dtype": d, "checkpointing": c} for d, c in product(DTYPES, (False, True))]


def trl_cells() -> list[dict[str, Any]]:
    return [
        {"side": "trl", "dtype": d, "checkpointing": c, "batch": b, "by_length": s}
        for d, c, b, s in product(DTYPES, (False, True), (8, 4, 2, 1), (False, True))
    ]


OURS = {d: f"ours {SHORT[d]} plain" for d in DTYPES}
RIVAL = {"float32": "trl fp32 plain batch-8 random", "bfloat16": "trl bf16 checkpointing batch-8 random"}


# the pairs


def picked(model: str, count: int, warm: int, folder: Path) -> dict[str, Any]:
    """HH helpful training pairs that fit 512 tokens, as two files of their own lines, and facts about them."""
    from plaudit.data.read import read
    from plaudit.models.backbone import load_backbone
    from plaudit.models.tokens import encode_all

    policy = load_backbone(model, seed=0).policy
    rows = [row for row in read(data_folder() / "hh/helpful-base/train.jsonl.gz") if row.records][: 4 * (count + warm)]
    encoded = encode_all([row.records[0] for row in rows], policy)
    fit = [(r, e) for r, e in zip(rows, encoded) if not e.refused and not e.dropped_tokens and e.longest <= 512]
    chosen, first = fit[:count], fit[count : count + warm]
    for name, part in (("pairs", chosen), ("warm", first)):
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(row.raw for row, _ in part) + b"\n")
    taken = fit[count - 1][0].where if len(chosen) == count else f"only {len(chosen)}"
    return {
        "pairs": len(chosen), "looked_at": rows.index(chosen[-1][0]) + 1, "last": taken,
        "tokens": sum(len(e.full(i)) for _, e in chosen for i in (0, 1)),
        "same_ids": same_ids(policy.tokenizer, chosen),
    }  # fmt: skip


def same_ids(tokenizer, chosen) -> float:
    """Share of sequences whose ids TRL's own rendering gives too."""
    same = []
    for row, e in chosen:
        p = row.records[0]
        for i, r in enumerate(p.responses):
            turns = [{"role": m.role, "content": m.text} for m in (*p.prompt, *r)]
            same.append(tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"] == e.full(i).tolist())
    return statistics.fmean(same)


# running cells


class Cells:
    """Cells run in processes of their own, each result kept in a file."""

    def __init__(self, cache: Path, common: dict[str, Any]) -> None:
        self.cache, self.common = cache, common

    def run(self, cell: dict[str, Any], turn: str) -> dict[str, Any]:
        file = self.cache / f"{name_of(cell) if cell['side'] != 'peak' else 'peak ' + cell['dtype']} {turn}.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        asked = json.dumps({**self.common, **cell})
        done = subprocess.run([sys.executable, str(HERE / "train_cell.py"), asked], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{file.stem} failed:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        file.write_text(json.dumps(found), encoding="utf-8")
        print(f"  {file.stem}: {found.get('seconds', 0):.1f} s, {found['bytes'] / 1e9:.1f} GB", flush=True)
        return found


def wanted(asked: str) -> list[dict[str, Any]]:
    """The cells of `--cells`: ours always."""
    every = {name_of(c): c for c in trl_cells()}
    if asked == "all":
        names = list(every)
    elif asked == "default":
        names = list(RIVAL.values())
    else:
        names = [n.strip() for n in asked.split(",")]
        if unknown := [n for n in names if n not in every]:
            raise SystemExit(f"no cell {unknown[0]!r}; there are: " + "; ".join(every))
    return our_cells() + [every[n] for n in names]


# what was found


def decided(cells: Cells, grid: dict[str, dict], repeats: int) -> tuple[dict[str, list[float]], dict[str, str | None]]:
    """The deciding cells in turn, seconds by name; and TRL's best cell of each precision when all were run."""
    whole = {name_of(c) for c in trl_cells()}
    best: dict[str, str | None] = {}
    for d in DTYPES:
        mine = [n for n in whole if n.startswith(f"trl {SHORT[d]} ")]
        best[d] = min(mine, key=lambda n: grid[n]["seconds"]) if set(mine) <= set(grid) else None
    names = [n for n in dict.fromkeys([*OURS.values(), *RIVAL.values(), *best.values()]) if n in grid]
    known = {name_of(c): c for c in our_cells() + trl_cells()}
    taken: dict[str, list[float]] = {n: [] for n in names}
    for turn in range(repeats):
        for n in names:
            taken[n].append(cells.run(known[n], f"turn {turn + 1}")["seconds"])
    return taken, best


def against(taken: dict[str, list[float]], slow: str | None, fast: str) -> dict[str, float] | None:
    return ratio(taken[slow], taken[fast]) if taken.get(slow) else None


def middle(found: dict[str, float] | None) -> float | None:
    return found["median"] if found else None


def memory(grid: dict[str, dict], own: str, other: str) -> float | None:
    return grid[own]["bytes"] / grid[other]["bytes"] if own in grid and other in grid else None


def bars(grid, taken, best) -> list[dict[str, Any]]:
    rows = []
    for d, bound, what in (
        ("float32", 2.7, "its batch of 8"),
        ("bfloat16", 3.2, "its default: checkpointing, 8 pairs"),
    ):
        found = middle(against(taken, RIVAL[d], OURS[d]))
        rows.append(
            {
                "name": f"{SHORT[d]} against TRL in {SHORT[d]}, {what}",
                "bar": f"at least {bound}x",
                "value": found,
                "at_least": bound,
            }
        )
    for d in DTYPES:
        found = middle(against(taken, best[d], OURS[d]))
        rows.append(
            {
                "name": f"{SHORT[d]} against TRL's best {SHORT[d]} cell",
                "bar": "at least 1.5x",
                "value": found,
                "at_least": 1.5,
            }
        )
    for d, c in product(DTYPES, ("plain", "checkpointing")):
        found = memory(grid, f"ours {SHORT[d]} {c}", f"trl {SHORT[d]} {c} batch-8 random")
        rows.append(
            {
                "name": f"peak memory, {SHORT[d]}, {c}, over TRL's with 8 pairs",
                "bar": "no higher",
                "value": found,
                "at_most": 1.0,
            }
        )
    rows.append(
        {
            "name": "rows dropped by either side",
            "bar": "none",
            "value": max(f["dropped"] for f in grid.values()),
            "equals": 0,
        }
    )
    return rows  # fmt: skip


def tables(grid, taken, best, shares, kinds) -> list[dict[str, Any]]:
    cells = []
    for n, f in grid.items():
        own = grid[OURS["float32" if " fp32 " in n else "bfloat16"]]
        cells.append([
            n, f["slots"], f["slots"] / own["slots"], f["seconds"] / own["seconds"], f["bytes"] / 1e9, f["kept"],
            f["dropped"], f["losses"][0],
        ])  # fmt: skip
    deciding = []
    for d in DTYPES:
        for title, rival in ((RIVAL[d], RIVAL[d]), (f"best cell: {best[d]}", best[d])):
            if found := against(taken, rival, OURS[d]):
                deciding.append([OURS[d], title, *found.values()])
    out = [
        {"title": "all cells, once (time ratio over plaudit of the same precision without checkpointing)", "columns": [
            "cell", "slots", "slot ratio", "time ratio", "peak memory, GB", "pairs kept", "pairs dropped", "first loss"], "rows": cells},
        {"title": "deciding cells in turn", "columns": ["ours", "against", "median", "low", "high"], "rows": deciding},
        {"title": "share of the matmul peak in training (6 x matrix parameters of the layers x tree tokens)", "columns": [
            "precision", "peak, GFLOP/s", "share"], "rows": shares},
    ]  # fmt: skip
    titles = {d: f"{SHORT[d]}: where a step of plaudit spends its time" for d in DTYPES}
    return out + [{"title": titles[d], "columns": ["work", "share"], "rows": kinds[d]} for d in DTYPES]


def main() -> None:
    args = arguments()
    cache = args.cache / f"{args.model} {args.pairs} {args.step}"
    cache.mkdir(parents=True, exist_ok=True)
    if args.fresh:
        for old in cache.glob("*.json"):
            old.unlink()
    from score_speed import body, trained_head

    where = machine()
    facts = picked(args.model, args.pairs, args.step, cache)
    folder = trained_head(args.model)
    common = {
        "folder": folder,
        "pairs": str(cache / "pairs.jsonl"),
        "warm": str(cache / "warm.jsonl"),
        "step": args.step,
    }
    cells = Cells(cache, common)
    grid = {name_of(c): cells.run(c, "grid") for c in wanted(args.cells)}
    taken, best = decided(cells, grid, args.repeats)
    from transformers import AutoModelForSequenceClassification

    size = body(AutoModelForSequenceClassification.from_pretrained(folder))
    shares, kinds = [], {}
    for d in DTYPES:
        top = cells.run({"side": "peak", "dtype": d}, "grid")["gflops"]
        seconds = statistics.median(taken[OURS[d]] or [grid[OURS[d]]["seconds"]])
        shares.append([SHORT[d], top, 6 * size * grid[OURS[d]]["slots"] / seconds / 1e9 / top])
        kinds[d] = cells.run({"side": "ours", "dtype": d, "checkpointing": False, "profile": True}, "profile")["kinds"]
    write("train_speed", document(args, where, facts, grid, taken, best, shares, kinds))


def document(args, where, facts, grid, taken, best, shares, kinds) -> dict[str, Any]:
    steps, threads = grid[OURS["float32"]]["steps"], grid[OURS["float32"]]["threads"]
    return {
        "title": f"Training speed, {args.model}",
        "question": "How much faster is a full fine-tune when each token is computed once, and what memory does it take?",
        "what": f"{facts['pairs']} HH helpful-base training pairs that fit 512 tokens (of the first {facts['looked_at']}), "
        f"{args.model} with its own template, {facts['tokens']:,} tokens as sequences; {steps} optimiser steps of "
        f"{args.step} pairs, AdamW, clipping at 1, the same initial weights; TRL's RewardTrainer with its defaults but for "
        f"what a cell names, gradients accumulated to {args.step} pairs; {facts['same_ids']:.0%} of the sequences have the same ids on both sides; "
        f"{threads} threads on {where['cores']} cores, torch {where['torch']}. Every cell is a process of its own, warmed by a step "
        f"on other pairs; grid once, deciding cells in turn, median of {args.repeats}.",
        "bars": bars(grid, taken, best),
        "tables": tables(grid, taken, best, shares, kinds),
        "notes": NOTES,
    }  # fmt: skip


NOTES = [
    "by-length: the pairs are sorted by length beforehand and taken in that order. TRL's own group_by_length would sort "
    "so few pairs only inside each step; this is what it does at best on large data.",
    "Slots are tokens computed in the forward pass, padding included, counted where the batches are made; with "
    "checkpointing they are computed twice. plaudit's slots are tree tokens.",
    "The bars' fp32 and bf16 rows of plaudit are without checkpointing, its default. Peak memory is the largest resident "
    "set of the whole process, libraries included.",
    "bf16 is autocast on both sides: weights and optimiser are in fp32. The share of the peak counts the layers' "
    "matrix products only, neither attention nor the optimiser.",
    "A bar above its slot ratio asks for better use of the cores than the padded run's, not for fewer tokens.",
]


def arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--cells", default="all", help="all, default, or names of TRL's cells, comma separated")
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--pairs", type=int, default=48)
    ask.add_argument("--step", type=int, default=8, help="pairs in one optimiser step")
    ask.add_argument("--model", default="smollm2-135m")
    ask.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "plaudit-train-speed")
    ask.add_argument("--fresh", action="store_true", help="forget the cells in the cache")
    return ask.parse_args()


if __name__ == "__main__":
    main()
