"""More pairs, better model? Accuracy by the number of training pairs, beside TF-IDF fitted on the very same pairs.

    PLAUDIT_DATA=... python benchmarks/learning_curve.py --tasks tldr,lora-uf [--parts 0.125,0.25,0.5] [--dtype bfloat16]

For tasks of `full_runs.py`, with its settings, test pairs and order; one seed a point. The point of all pairs is the one
that stands in full_runs.json. Every point is added to learning_curve.json when it is done, and those that stand there stay.
"""

import argparse
from pathlib import Path
from typing import Any

import full_runs
from full_runs import TASKS, compared, label, learned, name_of, run
from harness import machine, standing, write
from plaudit.data.read import read

NAME = "learning_curve"
COLUMNS = [
    "data and model", "trained on", "seeds", "precision", "accuracy", "low", "high",
    "TF-IDF of the same pairs", "ahead of it", "low", "high",
]  # fmt: skip


def points() -> list[list[Any]]:
    """Those measured so far."""
    return [row for table in standing(NAME)["tables"] for row in table["rows"]]


def key(row: list[Any]) -> tuple[str, int]:
    """What is measured once: data, model and number of pairs."""
    return row[0], row[1]


def point(task: str, count: int, args) -> list[Any]:
    """One row of the table: a run on `count` pairs."""
    found = run(task, 0, args, count=count)
    assert found is not None
    b = compared(task, [found], args, same_pairs=True, count=count)
    return [
        label(task, args),
        found["rows"]["train"],
        1,
        args.dtype,
        *(b[k] for k in ("ours", "low", "high", "tfidf", "ahead")),
        *b["gap"],
    ]


def whole(task: str, args) -> list[Any] | None:
    """The point of all pairs, from what `full_runs.py` published."""
    tables = {t["title"]: t for t in standing("full_runs")["tables"]}
    named = lambda title: [r for r in tables[title]["rows"] if r[0] == label(task, args)]  # noqa: E731
    mean, each = named("mean over seeds, on the same test pairs as TF-IDF"), named("every run")
    if not mean:
        return None
    _, seeds, *_, ours, low, high, _, _, tfidf, ahead, below, above = mean[0]
    if same := named("LoRA beside TF-IDF fitted on the same pairs"):
        tfidf, ahead, below, above = same[0][3:]
    return [label(task, args), each[0][3], seeds, "bfloat16", ours, low, high, tfidf, ahead, below, above]


def publish(rows: list[list[Any]], args) -> None:
    """All points, a task after the other, each by its number of pairs."""
    names = [label(t, args) for t in TASKS]
    write(NAME, {
        "title": "Learning curves", "question": "Would more pairs have helped?",
        "what": f"The runs of full_runs.py whose mean does not beat TF-IDF, on a part of their training pairs: drawn once at random, one seed a point "
        f"(the last point of UltraFeedback, minilm-l6: three); settings and test pairs as there. TF-IDF learns from the very same pairs "
        f"(its last point on full fine-tunes: all of them). Intervals are 95 %, over prompt groups; torch {machine()['torch']}.",
        "bars": [],
        "tables": [{"title": "accuracy by training pairs", "columns": COLUMNS, "rows": sorted(rows, key=lambda r: (names.index(r[0]), r[1]))}],
        "notes": ["The full runs are in bfloat16; points that were measured on a machine without it are in float32.", "A part is a share of the pairs of the file; `trained on` are those of it that fit the model."],
    })  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--tasks", type=lambda s: s.split(","), required=True, help="comma separated: " + ", ".join(TASKS))
    ask.add_argument("--parts", type=lambda s: [float(x) for x in s.split(",")], default=[1 / 8, 1 / 4, 1 / 2])
    ask.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    ask.add_argument("--cache", type=Path, default=full_runs.CACHE)
    own = ask.parse_args()
    if wrong := [t for t in own.tasks if t not in TASKS]:
        raise SystemExit(f"unknown: {', '.join(wrong)}; --tasks names " + ", ".join(TASKS))
    own.cache.mkdir(parents=True, exist_ok=True)
    args = full_runs.arguments(
        ["--dtype", own.dtype, "--cache", str(own.cache), "--only", ",".join(own.tasks), "--seeds", "1"]
    )
    for task in own.tasks:
        pairs = len([1 for row in read(learned(task, 0, args)) if row.records])
        for share in own.parts:
            row = point(task, round(pairs * share), args)
            publish([r for r in points() if key(r) != key(row)] + [row], args)
            print(name_of(task, 0, args, round(pairs * share)), row, flush=True)
        if row := whole(task, args):
            publish([r for r in points() if key(r) != key(row)] + [row], args)


if __name__ == "__main__":
    main()
