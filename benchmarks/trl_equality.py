"""The same training in plaudit and in TRL's RewardTrainer: step losses and held-out accuracy side by side.

    PLAUDIT_DATA=... python benchmarks/trl_equality.py [--pairs 2000] [--held-out 500] [--max-length 512]

minilm-l6 on TL;DR pairs in fp32, dropout off, no checkpointing, the same initial weights, learning rate and order.
TRL gets ids that are tokenised already (its `chosen_ids` and `rejected_ids` columns), in the order in which plaudit
takes the pairs, so that both see the same ids in every step; everything else is each trainer's own code.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import data_folder, machine, write
from our_training import Stage, staged, stepped
from plaudit.data.read import read
from plaudit.data.split import groups_of
from plaudit.metrics.intervals import difference_interval, mean_interval
from plaudit.models.score import scores
from plaudit.seeds import order
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import gather
from score_speed import trained_head

RATE = 5e-5
FIRST = 50  # steps whose losses are compared one by one


def lines_of(name: str, count: int, folder: Path) -> Path:
    """The first `count` pairs of a TL;DR file as JSON lines."""
    rows = [row.raw for row in read(data_folder() / f"tldr/{name}.parquet") if row.records]
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"\n".join(rows[:count]) + b"\n")
    return path


def sides(part) -> list[tuple[list[int], list[int]]]:
    """Ids of chosen and rejected, per pair."""
    best = [min(range(2), key=p.ranks.__getitem__) for p in part.preferences]
    return [(e.full(b).tolist(), e.full(1 - b).tolist()) for e, b in zip(part.encoded, best)]


def our_training(stage: Stage) -> list[float]:
    losses = []
    for sums in stepped(stage):
        losses.append(sums["loss_sum"])
        if len(losses) % 10 == 0:
            print(f"  plaudit, step {len(losses)} of {stage.steps}: {losses[-1]:.4f}", flush=True)
    return losses


def trl_training(folder: str, pairs: list[tuple[list[int], list[int]]], size: int) -> tuple[Any, list[float]]:
    """TRL's model after the same steps, and the losses that it called backward on."""
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    losses: list[float] = []

    class Watched(RewardTrainer):
        def compute_loss(self, *args, **kwargs):
            found = super().compute_loss(*args, **kwargs)
            losses.append(float((found[0] if isinstance(found, tuple) else found).detach()))
            if len(losses) % 10 == 0:
                print(f"  TRL, step {len(losses)}: {losses[-1]:.4f}", flush=True)
            return found

    config = RewardConfig(
        output_dir=tempfile.mkdtemp(), num_train_epochs=1, per_device_train_batch_size=size, bf16=False,
        gradient_checkpointing=False, learning_rate=RATE, lr_scheduler_type="linear", warmup_steps=0, max_grad_norm=1.0,
        weight_decay=0.0, max_length=None, report_to="none", save_strategy="no", use_cpu=True, disable_tqdm=True,
        train_sampling_strategy="sequential",
    )  # fmt: skip
    rows = Dataset.from_list([{"chosen_ids": a, "rejected_ids": b} for a, b in pairs])
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    Watched(model=model, args=config, train_dataset=rows, processing_class=tokenizer).train()
    return model.eval(), losses


@torch.no_grad()
def plain_scores(model, pairs: list[tuple[list[int], list[int]]]) -> np.ndarray:
    """Scores [P, 2] of chosen and rejected, one sequence at a time."""
    one = lambda ids: float(model(input_ids=torch.tensor([ids])).logits[0, 0])  # noqa: E731
    return np.array([[one(a), one(b)] for a, b in pairs])


def credit(values: np.ndarray) -> np.ndarray:
    """What each pair earns; ties are half."""
    gap = values[:, 0] - values[:, 1]
    return (gap > 0) + 0.5 * (gap == 0)


def measure(args) -> dict[str, Any]:
    scratch = Path(tempfile.mkdtemp())
    train, test = lines_of("train", args.pairs, scratch), lines_of("test", args.held_out, scratch)
    folder = trained_head(args.model)
    options = TrainOptions(
        epochs=1, batch_size=args.batch, learning_rate=RATE, warmup_ratio=0, lr_scheduler_type="linear", held_out=0,
        max_length=args.max_length, eval=str(test), device="cpu",
    )  # fmt: skip
    stage = staged(folder, train, options)
    part, held = stage.prepared.train, stage.prepared.held
    pairs = sides(part)
    taken = [pairs[i] for i in order(len(pairs), options.seed, 0)]
    kept = args.cache / f"{args.model} {args.pairs} {args.held_out} {args.batch} {args.max_length}.json"
    if not kept.exists():  # half of the time: TRL's half can be taken in another run
        ours = our_training(stage)
        stage.reader.eval()
        own = [v[[b, 1 - b]].tolist() for v, b in zip(scores(stage.reader, held.encoded), _best(held))]
        args.cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"losses": ours, "scores": own}), encoding="utf-8")
    half = json.loads(kept.read_text(encoding="utf-8"))
    other, theirs = trl_training(folder, taken, args.batch)
    return {
        "ours": half["losses"], "theirs": theirs, "cut": sum(e.dropped_tokens > 0 for e in part.encoded), "pairs": len(part), "held": len(held),
        "read": len(gather([str(train)])[0]), "groups": groups_of(held.preferences), "own": np.array(half["scores"]),
        "other": plain_scores(other, sides(held)),
        "tokens": sum(len(a) + len(b) for a, b in pairs),
    }  # fmt: skip


def _best(part) -> list[int]:
    return [min(range(2), key=p.ranks.__getitem__) for p in part.preferences]


def rows_of(f: dict[str, Any]) -> tuple[list[list], float]:
    """Held-out accuracy of both with intervals, and the difference in points."""
    ours, theirs = credit(f["own"]), credit(f["other"])
    rows = []
    for name, values in (("plaudit", ours), ("TRL", theirs)):
        rows.append([name, float(values.mean()), *mean_interval(values, f["groups"])[:2]])
    gap = difference_interval(ours, theirs, f["groups"])
    rows.append(["plaudit minus TRL, paired", float((ours - theirs).mean()), gap.low, gap.high])
    return rows, float((ours - theirs).mean())


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--pairs", type=int, default=2000)
    ask.add_argument("--held-out", type=int, default=500)
    ask.add_argument("--batch", type=int, default=16)
    ask.add_argument("--max-length", type=int, default=512)
    ask.add_argument("--model", default="minilm-l6")
    ask.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache/plaudit/trl-equality", help="our half, once done"
    )
    args = ask.parse_args()
    where = machine()
    f = measure(args)
    assert len(f["ours"]) == len(f["theirs"]), "the two trainers took different numbers of steps"
    gaps = np.abs(np.array(f["ours"]) - np.array(f["theirs"]))
    accuracy, points = rows_of(f)
    off = np.abs(f["own"] - f["other"])
    shown = sorted({0, 1, 2, 4, 9, 19, 34, FIRST - 1, len(gaps) - 1} & set(range(len(gaps))))
    write("trl_equality", {
        "title": "The same training in plaudit and in TRL",
        "question": "Does training give TRL's losses and TRL's model when nothing but the trainer differs?",
        "what": f"{args.model}, {f['pairs']:,} TL;DR pairs ({f['read'] - f['pairs']} of {f['read']:,} left out, {f['cut']} with prompts cut to "
        f"{args.max_length} tokens), {f['tokens']:,} tokens, one epoch in {len(gaps)} steps of {args.batch}, AdamW, learning rate "
        f"{RATE:g} falling linearly, clipping at 1, fp32, no dropout, no checkpointing; the same initial weights, the same ids in "
        f"every step; {f['held']} held-out pairs of other posts. torch {where['torch']}, {where['threads']} threads.",
        "bars": [
            {"name": f"first {FIRST} step losses equal TRL's", "bar": "within 1e-3", "value": float(gaps[:FIRST].max()) if len(gaps) >= FIRST else None, "at_most": 1e-3},
            {"name": "held-out accuracy equal to TRL's", "bar": "within 0.5 point", "value": abs(points) * 100, "at_most": 0.5},
        ],
        "tables": [
            {"title": "step losses", "columns": ["step", "plaudit", "TRL", "difference"], "rows": [
                [i + 1, f["ours"][i], f["theirs"][i], float(gaps[i])] for i in shown]},
            {"title": f"accuracy on {f['held']} held-out pairs", "columns": ["trainer", "accuracy", "low", "high"], "rows": accuracy},
            {"title": "differences", "columns": ["what", "value"], "rows": [
                ["largest difference of a step loss, all steps", float(gaps.max())],
                ["largest difference of a held-out score", float(off.max())]]},
        ],
        "notes": ["Losses drift apart slowly because sums are taken in another order; both are fp32."],
    })  # fmt: skip


if __name__ == "__main__":
    main()
