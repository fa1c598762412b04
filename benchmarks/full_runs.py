"""Full runs on real data: train, evaluate, and stand beside random, length-only and TF-IDF on the same test pairs.

    PLAUDIT_DATA=... python benchmarks/full_runs.py [--only helpful,uf,lora-helpful] [--seeds 3] [--dtype float32]

Learning rate and epochs come from full_runs_settings.json (`full_runs_settings.py` chooses them without test pairs).
Every finished run is kept in `--cache`, so a stopped script goes on; a run that was stopped in its middle resumes.
Runs that were not asked for are taken from the cache when they are there, else their bars are written as null.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from full_runs_settings import BATCH, CACHE, settings
from harness import data_folder, machine, write
from plaudit.data.read import read
from plaudit.data.split import groups_of
from plaudit.evaluation.evaluate import evaluate
from plaudit.metrics.intervals import difference_interval, mean_interval
from plaudit.records import Preference
from plaudit.seeds import order
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions
from tfidf import STRENGTHS, Reference, chosen_strength, judged

HELPFUL = ("hh/helpful-base/train.jsonl.gz", "hh/helpful-base/test.jsonl.gz")
HARMLESS = ("hh/harmless-base/train.jsonl.gz", "hh/harmless-base/test.jsonl.gz")
DATA: dict[str, tuple[list[str], list[str]]] = {
    "helpful": ([HELPFUL[0]], [HELPFUL[1]]),
    "harmless": ([HARMLESS[0]], [HARMLESS[1]]),
    "both": ([HELPFUL[0], HARMLESS[0]], [HELPFUL[1], HARMLESS[1]]),
    "uf": (["ultrafeedback_binarized/train.jsonl.gz"], ["ultrafeedback_binarized/eval.jsonl.gz"]),
    "tldr": (["tldr/train.parquet"], ["tldr/test.parquet"]),
}
CALLED = {
    "helpful": "HH helpful",
    "harmless": "HH harmless",
    "both": "HH, both",
    "uf": "UltraFeedback",
    "tldr": "TL;DR",
}
TASKS = [*DATA, *(f"lora-{name}" for name in DATA)]
LORA_PAIRS, LORA_RATE, LORA_EPOCHS = 1000, 2e-4, 1.0


def paths(files: list[str]) -> list[str]:
    return [str(data_folder() / f) for f in files]


def part_of(files: list[str], count: int, target: Path) -> list[str]:
    """The files themselves, or a file of `count` of their lines in a shuffled order."""
    rows = [row.raw for row in read(paths(files)) if row.records]
    if not count or count >= len(rows):
        return paths(files)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"\n".join(rows[i] for i in order(len(rows), 0, 0)[:count]) + b"\n")
    return [str(target)]


def options_of(task: str, seed: int, args) -> TrainOptions:
    common: dict[str, Any] = {
        "batch_size": BATCH, "held_out": 0, "save_steps": 50, "save_total_limit": 1, "seed": seed, "dtype": args.dtype,
        "gradient_checkpointing": False,
    }  # fmt: skip
    if task.startswith("lora-"):
        rate, epochs = settings("lora") or (LORA_RATE, LORA_EPOCHS)
        return TrainOptions(tuning="lora", learning_rate=rate, epochs=epochs, **common)
    rate, epochs = settings() or (args.rate, args.epochs)
    return TrainOptions(learning_rate=rate, epochs=epochs, **common)


def seeds(task: str, args) -> int:
    """How many seeds a task is trained with: one where a run is dear."""
    return 1 if task == "tldr" or task.startswith("lora-") else max(args.seeds, 1)


def name_of(task: str, seed: int, args, count: int) -> str:
    """What a run is called in the cache."""
    asked, model = options_of(task, seed, args), args.lora_model if task.startswith("lora-") else args.model
    limited = f" {count} pairs" if count else ""
    return f"{task} {model} {asked.peak():g} {asked.epochs:g} seed {seed} {args.dtype}{limited}"


def learned(task: str, seed: int, args, count: int = 0) -> list[str]:
    """The files that a run learns from."""
    limit = min(count or LORA_PAIRS, LORA_PAIRS) if task.startswith("lora-") else count
    return part_of(DATA[task.removeprefix("lora-")][0], limit, args.cache / f"{name_of(task, seed, args, count)}.jsonl")


def run(task: str, seed: int, args, *, count: int = 0) -> dict[str, Any] | None:
    """One training and its evaluation, from the cache when it is there; None when nobody asked for it."""
    lora, asked = task.startswith("lora-"), options_of(task, seed, args)
    model, count = args.lora_model if lora else args.model, count or args.pairs
    name = name_of(task, seed, args, count)
    kept = args.cache / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    if task not in args.only or seed >= args.seeds:
        return None
    print(name, flush=True)
    test_files = DATA[task.removeprefix("lora-")][1]
    files, folder = learned(task, seed, args, count), args.cache / name
    done = train(files, model=model, output_dir=folder, options=asked, resume_run=folder.exists())
    scored = folder / "evaluated"
    shutil.rmtree(scored, ignore_errors=True)
    found = evaluate(folder / "final", paths(test_files), output_dir=scored, dtype=args.dtype)
    lines = [json.loads(line) for line in (scored / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    document = {
        "task": task, "seed": seed, "rows": done["rows"], "steps": done["steps"], "seconds": done["seconds"],
        "options": {k: done["options"][k] for k in ("learning_rate", "epochs", "dtype")},
        "results": [r.as_dict() | {"name": r.name.removeprefix(f"{data_folder()}/")} for r in found.results], "counts": found.counts, "scores": {x["id"]: x["scores"] for x in lines},
    }  # fmt: skip
    if task == "tldr" and args.rmb and not count:
        graded = evaluate(folder / "final", suite="rmb", suite_data=data_folder() / "suites", dtype=args.dtype)
        document["rmb"] = [r.as_dict() for r in graded.results]
    kept.write_text(json.dumps(document), encoding="utf-8")
    if not args.keep:
        shutil.rmtree(folder)
    return document


# beside the reference


def reference(task: str, args, *, same_pairs: bool = False, count: int = 0) -> dict[str, Any]:
    """TF-IDF's C, its accuracy for every C, and what each test pair earns, by id.

    It learns from all training pairs of the data, or from the same pairs as the first run of the task (of `count` pairs).
    """
    name = task.removeprefix("lora-")
    limited = f" {count}" if count else ""
    kept = args.cache / f"tfidf {task + limited + ' same pairs' if same_pairs else name}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    files = learned(task, 0, args, count or args.pairs) if same_pairs else paths(DATA[name][0])
    sides = [judged([p for row in read(f) for p in row.records]) for f in (files, paths(DATA[name][1]))]
    strength, folds = chosen_strength(sides[0])
    every = {c: Reference(sides[0], c).credit(sides[1]) for c in STRENGTHS}
    found = {
        "strength": strength, "folds": {str(c): v for c, v in folds.items()},
        "accuracy": {str(c): float(v.mean()) for c, v in every.items()},
        "credit": dict(zip([p.id for p in sides[1]], every[strength].tolist())),
    }  # fmt: skip
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def credit(scores: dict[str, list[float]], pairs: list[Preference]) -> np.ndarray:
    best = [min(range(2), key=p.ranks.__getitem__) for p in pairs]
    gap = np.array([scores[p.id][b] - scores[p.id][1 - b] for p, b in zip(pairs, best)])
    return (gap > 0) + 0.5 * (gap == 0)


def compared(
    task: str, runs: list[dict[str, Any]], args, *, same_pairs: bool = False, count: int = 0
) -> dict[str, Any]:
    """The mean over seeds against TF-IDF on the same test pairs, with a paired interval over prompt groups."""
    name = task.removeprefix("lora-")
    other = reference(task, args, same_pairs=same_pairs, count=count)["credit"]
    pairs = judged([p for row in read(paths(DATA[name][1])) for p in row.records])
    whole = len(pairs)
    pairs = [p for p in pairs if p.id in other and all(p.id in r["scores"] for r in runs)]
    groups = groups_of(pairs)
    ours = np.mean([credit(r["scores"], pairs) for r in runs], axis=0)
    theirs = np.array([other[p.id] for p in pairs])
    gap, own = difference_interval(ours, theirs, groups), mean_interval(ours, groups)
    return {
        "n": len(pairs), "left_out": whole - len(pairs), "groups": len(set(groups.tolist())), "ours": float(ours.mean()), "low": own.low, "high": own.high,
        "tfidf": float(theirs.mean()), "ahead": float((ours - theirs).mean()), "gap": [gap.low, gap.high],
    }  # fmt: skip


def accuracy_of(found: dict[str, Any]) -> dict[str, Any]:
    """The line over all test pairs."""
    return found["results"][-1]


def label(task: str, args) -> str:
    lora = task.startswith("lora-")
    return f"{CALLED[task.removeprefix('lora-')]}, {args.lora_model + ' LoRA' if lora else args.model}"


def tables(done: dict[str, list[dict[str, Any]]], beside: dict[str, dict[str, Any]], args) -> list[dict[str, Any]]:
    columns = [
        "data and model",
        "seeds",
        "test pairs",
        "left out",
        "prompts",
        "accuracy",
        "low",
        "high",
        "random",
        "length only",
        "TF-IDF",
        "ahead of TF-IDF",
        "low",
        "high",
    ]
    rows, single = [], []
    for task, runs in done.items():
        b, first = beside[task], accuracy_of(runs[0])
        rows.append([label(task, args), len(runs), b["n"], b["left_out"], b["groups"], b["ours"], b["low"], b["high"], first["random"],
                     first["length_only"], b["tfidf"], b["ahead"], *b["gap"]])  # fmt: skip
        for r in runs:
            for one in r["results"]:
                single.append([label(task, args), r["seed"], one["name"], r["rows"]["train"], r["rows"]["dropped"], r["steps"],
                               one["n"], one["score"], one["low"], one["high"], one["ties"], one["length_only"]])  # fmt: skip
    out = [{"title": "mean over seeds, on the same test pairs as TF-IDF", "columns": columns, "rows": rows}]
    if lora := [t for t in done if t.startswith("lora-")]:
        out.append({
            "title": "LoRA beside TF-IDF fitted on the same pairs",
            "columns": ["data and model", "trained on", "accuracy", "TF-IDF", "ahead of TF-IDF", "low", "high"],
            "rows": [
                [label(t, args), done[t][0]["rows"]["train"], b["ours"], b["tfidf"], b["ahead"], *b["gap"]]
                for t in lora for b in [compared(t, done[t], args, same_pairs=True)]
            ],
        })  # fmt: skip
    if older := [[label(t, args), *r] for t in lora for r in before_the_choice(t, args)]:
        out.append({
            "title": "LoRA before its settings were chosen",
            "columns": ["data and model", "learning rate", "epochs", "pairs", "accuracy", "low", "high"], "rows": older,
        })  # fmt: skip
    known = {t.removeprefix("lora-") for t in done}
    refs = [
        [CALLED[n], (f := reference(n, args))["strength"], *(f["accuracy"][str(c)] for c in STRENGTHS)]
        for n in DATA
        if n in known
    ]
    out.append(
        {
            "title": "TF-IDF reference",
            "columns": ["data", "C chosen on train", *(f"test accuracy, C = {c:g}" for c in STRENGTHS)],
            "rows": refs,
        }
    )
    out.append(
        {
            "title": "every run",
            "columns": [
                "data and model",
                "seed",
                "test file",
                "trained on",
                "dropped",
                "steps",
                "pairs",
                "accuracy",
                "low",
                "high",
                "ties",
                "length only",
            ],
            "rows": single,
        }
    )
    for r in done.get("tldr", []):
        if "rmb" in r:
            out.append({"title": f"RMB with the TL;DR model, seed {r['seed']}", "columns": ["what", "kind", "n", "score", "low", "high", "random", "length only"],
                        "rows": [[x[k] for k in ("name", "kind", "n", "score", "low", "high", "random", "length_only")] for x in r["rmb"]]})  # fmt: skip
    return out


def before_the_choice(task: str, args) -> list[list]:
    """What the settings that nobody had chosen gave, where the choice was another; from the cache."""
    if settings("lora") in (None, (LORA_RATE, LORA_EPOCHS)):
        return []
    kept = args.cache / f"{task} {args.lora_model} {LORA_RATE:g} {LORA_EPOCHS:g} seed 0 {args.dtype}.json"
    if not kept.exists():
        return []
    one = accuracy_of(json.loads(kept.read_text(encoding="utf-8")))
    return [[LORA_RATE, LORA_EPOCHS, *(one[k] for k in ("n", "score", "low", "high"))]]


def main() -> None:
    args = arguments()
    args.cache.mkdir(parents=True, exist_ok=True)
    where = machine()
    done: dict[str, list[dict[str, Any]]] = {}
    for task in TASKS:
        if found := [r for s in range(seeds(task, args)) if (r := run(task, s, args))]:
            done[task] = found
    if not done:
        raise SystemExit("nothing was run; --only names: " + ", ".join(TASKS))
    beside = {task: compared(task, runs, args) for task, runs in done.items()}
    write("full_runs", document(args, where, done, beside))


def described(tuning: str, seed: int, args) -> str:
    """Learning rate and epochs of a kind of run, and where they come from."""
    asked = options_of("lora-helpful" if tuning == "lora" else "helpful", seed, args)
    chosen = "chosen beforehand on a part of the helpful training pairs"
    if not settings(tuning):
        chosen = "not chosen by a script"
    elif tuning == "lora":
        chosen = (
            "what the first runs (on HH) had; a grid on training pairs, made after their test numbers, chose the same"
        )
    return f"learning rate {asked.peak():g}, {asked.epochs:g} epoch{'' if asked.epochs == 1 else 's'}, {chosen}"


def document(args, where, done, beside) -> dict[str, Any]:
    return {
        "title": "Full runs on real data",
        "question": "Does a reward model trained here beat a bag of words on unseen prompts?",
        "what": f"{args.model} with all weights trained: {described('full', 0, args)}; {args.lora_model} with LoRA: "
        f"{described('lora', 0, args)}, at most {LORA_PAIRS:,} pairs; batches of {BATCH}, {args.dtype}. The last checkpoint is evaluated. HH here is a split of the official test set, cut by prompt; its numbers are not those of the official split. "
        f"Intervals are 95 %, over prompt groups; torch {where['torch']}.",
        "bars": [
            {"name": f"{label(t, args)}: mean accuracy minus TF-IDF's", "bar": "above 0", "value": beside[t]["ahead"] if t in beside else None, "at_least": 1e-9}
            for t in TASKS
        ],
        "tables": tables(done, beside, args),
        "notes": [
            "Random and length-only are what random scores and the longer response earn on the same pairs. TF-IDF here reads the last "
            "message of a response only: words, pairs of words and log length, logistic regression on the difference; its C "
            "is chosen on the training pairs by cross-validation over prompt groups.",
            "Test pairs left out have a response that does not fit the model, even without its prompt; TF-IDF is judged on the same pairs.",
            "TF-IDF learns from all training pairs of the data, our models from those whose responses fit (`trained on`, `dropped`).",
        "The interval of a mean over seeds is over test prompts alone; the spread between seeds is in the table of every run.",
            "The bar asks for the point estimate; the paired interval says how far the two can be told apart.",
            "Where a mean is not above TF-IDF, `learning_curve.py` shows how both grow with the same pairs.",
        ],
    }  # fmt: skip


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--only", type=lambda s: s.split(","), default=TASKS, help="comma separated: " + ", ".join(TASKS))
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    ask.add_argument("--rmb", action=argparse.BooleanOptionalAction, default=True, help="the suite after TL;DR")
    ask.add_argument("--model", default="minilm-l6")
    ask.add_argument("--lora-model", default="smollm2-135m")
    ask.add_argument("--rate", type=float, default=5e-5, help="when nothing was chosen")
    ask.add_argument("--epochs", type=float, default=2.0, help="when nothing was chosen")
    ask.add_argument("--pairs", type=int, default=0, help="at most so many training pairs, for a trial")
    ask.add_argument("--cache", type=Path, default=CACHE)
    ask.add_argument("--keep", action="store_true", help="keep the trained models in the cache")
    return ask.parse_args(words)


if __name__ == "__main__":
    main()
