"""Does `p_disagree` tell where a fresh annotator takes the other side?

    PLAUDIT_DATA=... python benchmarks/annotators.py [--questions NAME NAME] [--seeds 3] [--store DIR]

One annotator's choices are the labels that the committee learns from; verdicts of others on the same rows are fresh and
are only looked at afterwards. Votes are out of fold by prompt. Beside `p_disagree`: the margin of one model with its
sign, its size alone (a small one = a close call), length (the shorter response is the labelled one), the place in the
list, and chance. AUROC with an interval (bootstrap over prompts), and p_disagree against the measured rate in five bins.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import machine, write
from judged_sets import QUESTIONS, TRUNKS, Judged
from plaudit.data.split import folds
from plaudit.metrics.detection import auroc
from plaudit.metrics.intervals import codes, mean_interval, percentiles
from plaudit.models.members import Member
from plaudit.seeds import generator
from plaudit.signals.price import price
from plaudit.signals.votes import Votes
from plaudit.training.heads import fit

FIRST_SEED = 100
DRAWS = 400
BINS = 5
OURS, SIGNED, SIZE, LENGTH = "p_disagree", "margin of one model", "|margin| of one model", "length"
METHODS = (OURS, SIGNED, SIZE, LENGTH, "listed second", "chance")
BARS = (
    ("PandaLM, each annotator in turn", "ties left out"), ("TL;DR workers", "all"),
    ("TL;DR workers, committee of other posts", "all"), ("HH by humans, then a model", "objectives differ"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Fresh verdicts of all runs end to end [Q]: who was asked (`group`, `run`), what they said, and what was expected."""

    other: NDArray[np.float64]
    group: NDArray[np.uint64]
    run: NDArray[np.int64]
    parts: dict[str, NDArray[np.bool_]]
    expected: dict[str, NDArray[np.float64]]

    def rows(self, keep: NDArray) -> "Table":
        """Some of the verdicts."""
        part = lambda columns: {name: column[keep] for name, column in columns.items()}  # noqa: E731
        return Table(self.other[keep], self.group[keep], self.run[keep], part(self.parts), part(self.expected))


def expected(judged: Judged, seed: int) -> dict[str, NDArray[np.float64]]:
    """Per method one number a row [P], higher = a fresh annotator is likelier to take the other side."""
    case = judged.case
    if judged.weight is None:
        fold = folds(case.group, 5, seed)
    else:  # what is not learned from is one fold, judged by members of all the rest
        fold = np.where(judged.weight > 0, 1 + folds(case.group, 4, seed), 0)
    pairs = case.pairs(case.label, judged.weight)
    margins, _ = fit(case.matrix, pairs, fold, case.members)
    votes = Votes(margins, fold, pairs.target, tuple(str(k) for k in range(margins.shape[1])))
    alone = fit(case.matrix, pairs, fold, [Member(case.members[0].view, "linear", seed)])[0][:, 0]
    chance = generator(seed, "benchmark annotators").random(len(case))
    shorter = (case.chars[pairs.worse] - case.chars[pairs.better]).astype(float)
    values = (price(votes)["p_disagree"], -alone, -np.abs(alone), shorter, judged.behind.astype(float), chance)
    return dict(zip(METHODS, values, strict=True))


def asked(runs: list[Judged], seeds: range) -> Table:
    """Every run with every seed of folds: the verdicts beside what was expected of them."""
    found: list[tuple[Judged, dict[str, NDArray]]] = [(run, expected(run, seed)) for seed in seeds for run in runs]
    end = lambda columns: np.concatenate(list(columns))  # noqa: E731
    return Table(
        end(j.other for j, _ in found), end(j.case.group[j.row] for j, _ in found),
        end(np.full(len(j.row), at) for at, (j, _) in enumerate(found)),
        {name: end(j.parts[name] for j, _ in found) for name in runs[0].parts},
        {name: end(e[name][j.row] for j, e in found) for name in METHODS},
    )  # fmt: skip


def aurocs(table: Table, rows: NDArray) -> NDArray[np.float64]:
    """Every method's AUROC on some verdicts [M], the mean over runs; a verdict of 1/2 counts half on each side."""
    each = []
    for run in np.unique(table.run):
        here = rows[table.run[rows] == run]
        said = np.concatenate([table.other[here] >= 0.5, table.other[here] > 0.5])
        each.append([auroc(np.tile(table.expected[name][here], 2), said) for name in METHODS])
    return np.mean(each, 0)


def measured(table: Table) -> dict[str, Any]:
    """AUROC of every method, p_disagree against the others, and calibration; whole prompts are drawn."""
    rows = np.split(np.argsort(codes(table.group), kind="stable"), np.cumsum(np.bincount(codes(table.group)))[:-1])
    draw, whole = generator(0, "benchmark annotators"), aurocs(table, np.arange(len(table.other)))
    drawn = np.array([aurocs(table, np.concatenate([rows[i] for i in draw.integers(0, len(rows), len(rows))]))
                      for _ in range(DRAWS)])  # fmt: skip
    drawn = drawn[~np.isnan(drawn).any(1)]  # a draw without any disagreement has no AUROC

    def interval(value: float, columns: NDArray) -> dict[str, float]:
        low, high = percentiles(columns)
        return {"value": float(value), "low": float(low), "high": float(high)}

    one = table.run == 0
    return {
        "verdicts": int(one.sum()), "prompts": len(rows), "count": float(table.other[one].sum()),
        "rate": float(table.other.mean()), "mean": float(table.expected[OURS].mean()),
        "auroc": {name: interval(whole[m], drawn[:, m]) for m, name in enumerate(METHODS)},
        "minus": {name: interval(whole[0] - whole[m], drawn[:, 0] - drawn[:, m])
                  for m, name in enumerate(METHODS) if name in (SIGNED, SIZE, LENGTH)},
        "bins": calibration(table),
    }  # fmt: skip


def calibration(table: Table) -> list[dict[str, float]]:
    """Five bins of equal counts by p_disagree: its mean, and how many fresh verdicts went the other way."""
    out = []
    for rows in np.array_split(np.argsort(table.expected[OURS], kind="stable"), BINS):
        found = mean_interval(table.other[rows], table.group[rows])
        out.append({"p": float(table.expected[OURS][rows].mean()), "value": float(table.other[rows].mean()),
                    "low": found.low, "high": found.high})  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", nargs="+", choices=list(QUESTIONS), default=list(QUESTIONS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="folds and bootstraps of the one model, drawn anew")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--name", default="annotators")
    args = parser.parse_args()
    results: dict[tuple[str, str], dict[str, Any]] = {}
    learned: dict[str, int] = {}
    for question in args.questions:
        runs = QUESTIONS[question](args.store)
        learned[question] = round(np.mean([(1.0 if r.weight is None else r.weight.mean()) * len(r.case) for r in runs]))
        table = asked(runs, range(FIRST_SEED, FIRST_SEED + args.seeds))
        for part, keep in table.parts.items():
            results[question, part] = measured(table.rows(keep))
            show(question, part, results[question, part])
        write(args.name, document(results, learned, args.seeds))  # after each: nothing is lost


def document(results: dict[tuple[str, str], dict[str, Any]], learned: dict[str, int], seeds: int) -> dict[str, Any]:
    """What results.py prints."""
    bars = []
    for at in BARS:
        if at not in results:
            continue
        own, name = results[at], _name(*at)
        bars.append({"name": f"{name}: lower end of the AUROC of p_disagree", "bar": "above 0.5",
                     "value": own["auroc"][OURS]["low"], "at_least": 0.5})  # fmt: skip
        bars += [{"name": f"{name}: lower end of p_disagree minus {other}", "bar": "above 0",
                  "value": own["minus"][other]["low"], "at_least": 0.0} for other in (LENGTH, SIZE)]  # fmt: skip
    return {
        "title": "Disagreement of real annotators", "bars": bars, "tables": tables(results, learned),
        "question": "Does p_disagree tell where a fresh annotator takes the other side?",
        "what": f"One annotator's strict choices are the labels; the verdicts of others on the same responses are never "
        f"learned from. Ten linear members on {', '.join(TRUNKS)}, votes out of fold (5 "
        f"folds by prompt), mean of {seeds} draws of folds and, for PandaLM, of three annotators; intervals: bootstrap over "
        f"prompts. PandaLM: three annotators a row. TL;DR workers: pairs that two workers or more judged; the committee "
        f"learns from all judgements of other posts, or from the TL;DR pairs of posts these workers never saw. HH: the "
        f"second judge is a language model that was told to look for helpfulness or harmlessness; `objectives differ` "
        f"where the human had been asked for the other. Length: the labelled response is the shorter by how many "
        f"characters. Of two annotators who differ, PandaLM and TL;DR make each the label once: half of these labels look right to any "
        f"committee: an AUROC of 1 is out of reach. torch {machine()['torch']}.",
    }  # fmt: skip


def tables(results: dict[tuple[str, str], dict[str, Any]], learned: dict[str, int]) -> list[dict[str, Any]]:
    """AUROC, differences, calibration."""
    rate = [[_name(*at), learned[at[0]], r["verdicts"], r["prompts"], f"{r['rate']:.3f} ({r['count']:g})",
             *(_cell(r["auroc"][m]) for m in METHODS)] for at, r in results.items()]  # fmt: skip
    minus = [[_name(*at), *(_cell(d, "+.3f") for d in r["minus"].values())] for at, r in results.items()]
    bins = [[_name(*at), f"{r['mean']:.2f}: {r['rate']:.2f}", *(f"{b['p']:.2f}: {_cell(b, '.2f')}" for b in r["bins"])]
            for at, r in results.items()]  # fmt: skip
    return [
        {"title": "AUROC for a fresh verdict against the label [95 % interval]",
         "columns": ["labels, fresh annotator", "rows learned from", "fresh verdicts", "prompts", "disagree (of one run)", *METHODS],
         "rows": rate},
        {"title": "AUROC of p_disagree minus that of", "columns": ["labels, fresh annotator", SIGNED, SIZE, LENGTH],
         "rows": minus},
        {"title": "Mean p_disagree: measured rate of disagreement, in all and in five bins of equal counts",
         "columns": ["labels, fresh annotator", "all", *(f"bin {b + 1}" for b in range(BINS))], "rows": bins},
    ]  # fmt: skip


def _name(question: str, part: str) -> str:
    return question if part == "all" else f"{question}: {part}"


def _cell(found: dict[str, float], form: str = ".3f") -> str:
    return f"{found['value']:{form}} [{found['low']:{form}}, {found['high']:{form}}]"


def show(question: str, part: str, found: dict[str, Any]) -> None:
    print(
        f"{_name(question, part)}: {found['verdicts']} verdicts of {found['prompts']} prompts, {found['rate']:.3f} disagree"
    )
    for name, row in found["auroc"].items():
        print(
            f"  {name:24s} {_cell(row)}"
            + (f"  {_cell(found['minus'][name], '+.3f')}" if name in found["minus"] else "")
        )
    print("  " + "; ".join(f"{b['p']:.2f}: {_cell(b, '.2f')}" for b in found["bins"]), flush=True)


if __name__ == "__main__":
    main()
