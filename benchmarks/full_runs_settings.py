"""The settings of the full runs, chosen once on a part of the helpful training pairs; no test pair is read.

    PLAUDIT_DATA=... python benchmarks/full_runs_settings.py [--seeds 1] [--dtype float32] [--by loss]

Every cell of the grid trains minilm-l6 on four fifths of the prompt groups and is judged on the rest after its last
step. Finished cells are kept in `--cache`. `full_runs_settings_lora.py` does the same for LoRA on smollm2-135m and the
first 1,000 pairs; `full_runs.py` reads both choices.
"""

import argparse
import json
import shutil
import tempfile
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from harness import HERE, data_folder, machine, write
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions

GRIDS = {"full": ((2e-5, 5e-5, 1e-4), (1.0, 2.0)), "lora": ((2e-4, 5e-4, 1e-3), (1.0,))}
MODELS, PAIRS = {"full": "minilm-l6", "lora": "smollm2-135m"}, {"full": 0, "lora": 1000}
NAMES = {"full": "full_runs_settings", "lora": "full_runs_settings_lora"}
AS_GOOD = 0.005
BATCH = 16
CACHE = Path(tempfile.gettempdir()) / "plaudit-full-runs"
CHOSEN = "chosen"


def settings(tuning: str = "full") -> tuple[float, float] | None:
    """(learning rate, epochs) as chosen; None when nobody chose yet."""
    path = HERE / f"{NAMES[tuning]}.json"
    if not path.exists():
        return None
    tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
    rate, epochs, *_ = next(t for t in tables if t["title"] == CHOSEN)["rows"][0]
    return rate, epochs


def cell(rate: float, epochs: float, seed: int, args) -> dict[str, Any]:
    """Held-out numbers after the last step of one training."""
    limited = f" {args.pairs} pairs" if args.pairs else ""
    kept = args.cache / f"choose {args.model} {rate:g} {epochs:g} seed {seed} {args.dtype}{limited}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    source = data_folder() / "hh/helpful-base/train.jsonl.gz"
    folder = Path(tempfile.mkdtemp())
    if args.pairs:
        from plaudit.data.read import read

        lines = [row.raw for row in read(source)][: args.pairs]
        source = folder / "part.jsonl"
        source.write_bytes(b"\n".join(lines) + b"\n")
    options = TrainOptions(
        epochs=epochs, learning_rate=rate, batch_size=BATCH, held_out=0.2, eval_steps=10**6, save_total_limit=1,
        seed=seed, dtype=args.dtype, tuning=args.tuning, gradient_checkpointing=False,
    )  # fmt: skip
    found = train([str(source)], model=args.model, output_dir=folder / "run", options=options)
    shutil.rmtree(folder)
    held = {k: found["held_out"][k] for k in ("eval_loss", "eval_accuracy")} | {"rows": found["rows"]}
    kept.write_text(json.dumps(held), encoding="utf-8")
    print(
        f"  {rate:g}, {epochs:g} epochs, seed {seed}: {held['eval_loss']:.4f}, {held['eval_accuracy']:.4f}", flush=True
    )
    return held


def pick(rows: list[list[float]], by: str) -> list[float]:
    """The cell with the fewest epochs among those as good as the best, which no split of this size tells apart."""
    cost = (lambda r: r[2]) if by == "loss" else (lambda r: -r[3])
    least = min(map(cost, rows))
    return min((r for r in rows if cost(r) <= least + AS_GOOD), key=lambda r: (r[1], cost(r)))


def choose(args) -> None:
    args.cache.mkdir(parents=True, exist_ok=True)
    where, rows, counts = machine(), [], {}
    for rate, epochs in product(args.rates, args.epochs):
        found = [cell(rate, epochs, seed, args) for seed in range(args.seeds)]
        counts = found[0]["rows"]
        rows.append([rate, epochs, fmean(f["eval_loss"] for f in found), fmean(f["eval_accuracy"] for f in found)])
    best = pick(rows, args.by)
    columns = ["learning rate", "epochs", "held-out loss", "held-out accuracy"]
    splits = "one split and seed" if args.seeds == 1 else f"{args.seeds} splits and seeds, mean"
    lora = ", LoRA" if args.tuning == "lora" else ""
    write(NAMES[args.tuning], {
        "title": f"Settings of the full runs{lora}",
        "question": "Which learning rate and how many epochs, chosen without looking at any test pair?",
        "what": f"{args.model}{lora} on HH helpful-base training pairs: {counts['train']:,} to train on, {counts['held_out']:,} of other prompts to "
        f"judge after the last step; batches of {BATCH}, {args.dtype}, {splits}; chosen by held-out "
        f"{args.by}, the fewest epochs within {AS_GOOD} of the best; torch {where['torch']}.",
        "tables": [
            {"title": CHOSEN, "columns": columns, "rows": [best]},
            {"title": "the grid", "columns": columns, "rows": rows},
        ],
        "notes": ["One standard error of an accuracy here is about 3 points per split: neighbours in the grid are not told apart."],
    })  # fmt: skip


def numbers(text: str) -> list[float]:
    return [float(x) for x in text.split(",")]


def main(tuning: str = "full") -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--model", default=MODELS[tuning])
    ask.add_argument("--seeds", type=int, default=1, help="how many splits and seeds")
    ask.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    ask.add_argument("--by", default="loss", choices=["loss", "accuracy"])
    ask.add_argument("--rates", type=numbers, default=GRIDS[tuning][0], help="the grid's learning rates")
    ask.add_argument("--epochs", type=numbers, default=GRIDS[tuning][1], help="the grid's epochs")
    ask.add_argument("--pairs", type=int, default=PAIRS[tuning], help="at most so many pairs; 0: all")
    ask.add_argument("--cache", type=Path, default=CACHE)
    choose(ask.parse_args(namespace=argparse.Namespace(tuning=tuning)))


if __name__ == "__main__":
    main()
