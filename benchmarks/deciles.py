"""What do preferences of each strength teach? The paper's decile experiment, its flip test and its recipes.

    PLAUDIT_DATA=... python benchmarks/deciles.py [--blocks NAME NAME] [--draws 6] [--store DIR]

Nested: a fifth of the prompts is set aside, and the committee never sees it. The rest is audited, sorted by the
committee's mean and cut into tenths; one linear head is trained on each tenth alone and judged on the rows set aside,
under the labels as they are (original), those of a second labeller or before flips (clean), and where both agree. The
paper's curve (Secrets of RLHF, part II, figure 3; Llama-2-7B on HH) is read from its figure.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness import machine, write
from judged_sets import relabelled
from noise_sets import SETS, Case, case_of, files, flips
from plaudit.data.split import folds, held_out
from plaudit.records import Preference
from plaudit.signals.price import price
from plaudit.signals.recipes import steps, treat
from plaudit.signals.targets import Targets, unchanged
from plaudit.signals.votes import Votes
from plaudit.training.heads import fit
from repair import against, trained

FIRST_SEED = 100
TRUNKS = ("minilm-l6",)
WAYS = ("out of fold", "in sample")
KINDS = ("original", "clean", "agreeing")
TENTHS = [f"{10 * d}-{10 * d + 10} %" for d in range(10)]
TURNED = 4  # tenths whose labels are also turned round
WHOLE = "all rows"
RECIPES: dict[str, tuple[str, ...]] = {
    WHOLE: (), "all, lowest 10 % flipped": ("flip-10",), "all, lowest 20 % flipped": ("flip:quantile=0.2",),
    "all but the lowest 10 %": ("drop:quantile=0.1",), "all but the lowest 20 %": ("drop:quantile=0.2",),
    "all, soft label and margin": ("soft-margin",),
}  # fmt: skip
PAPER = dict(zip(TENTHS, ("0.33", "0.35", "0.45", "0.57", "0.655", *["0.675-0.685"] * 4, "0.66"), strict=True)) | {
    f"{TENTHS[0]} turned": "0.665", f"{TENTHS[1]} turned": "0.65",
}  # fmt: skip
KNOWN, OTHERWISE = "second labeller", "second labeller says otherwise"  # flips that HH brings itself


@dataclass(frozen=True)
class Block:
    """One set at one rate of planted flips; `second` says what the clean labels are."""

    set: str
    rate: float
    second: str


BLOCKS = {
    "text world, 25 % flips": Block("text world", 0.25, "true labels"),
    "text world, no flips": Block("text world", 0.0, "as the original ones: there is nothing wrong to find"),
    "HH helpful, as it came": Block("hh-helpful", 0.0, "a language model asked for helpfulness, on some of the rows"),
    "HH helpful, 25 % flips": Block("hh-helpful", 0.25, "labels as they came"),
    "TL;DR, as it came": Block("tldr", 0.0, "none: this set has no second labeller"),
    "TL;DR, 25 % flips": Block("tldr", 0.25, "labels as they came"),
}


def case_for(name: str, store: Path) -> Case:
    """A set; HH helpful with what a second labeller said of some of its rows."""
    if name != "hh-helpful":
        return SETS[name](store, TRUNKS)
    said = {_texts(t.pair): _folded(t.pair.responses[0 if t.model > 0 else 1][-1].text)
            for t in relabelled("train", "test") if t.subset == t.objective == "helpful"}  # fmt: skip
    rows = files("hh/helpful-base/train.jsonl.gz", "hh/helpful-base/test.jsonl.gz")
    better = [said.get(_texts(p)) for p in rows]
    own = [_folded(p.responses[p.comparisons()[0][0]][-1].text) for p in rows]
    known = np.array([b is not None for b in better])
    otherwise = known & np.array([a != b for a, b in zip(own, better, strict=True)])
    return case_of(name, rows, TRUNKS, store, given={KNOWN: known, OTHERWISE: otherwise})


def _texts(p: Preference) -> tuple[str, frozenset[str]]:
    return _folded(p.prompt[-1].text), frozenset(_folded(r[-1].text) for r in p.responses)


def _folded(text: str) -> str:
    return " ".join(text.split())


def judges(outer: Case, wrong: NDArray[np.bool_], rate: float) -> dict[str, tuple[NDArray, NDArray[np.bool_]]]:
    """The labels that judge, by kind: (label [P], rows that count [P])."""
    everything = np.ones(len(outer), bool)
    original = np.where(wrong, -outer.label, outer.label)
    if rate:
        return {"original": (original, everything), "clean": (outer.label, everything), "agreeing": (original, ~wrong)}
    if KNOWN in outer.given:
        known, otherwise = outer.given[KNOWN], outer.given[OTHERWISE]
        second = np.where(otherwise, -outer.label, outer.label)
        return {
            "original": (original, everything),
            "clean": (second, known),
            "agreeing": (original, known & ~otherwise),
        }
    return {"original": (original, everything)}


def lessons(
    signals: Any, rows: torch.Tensor, truth: NDArray | None, group: NDArray, seed: int
) -> dict[str, torch.Tensor]:
    """A head [H] from every tenth alone, from the lowest ones turned round, and from every recipe on all rows."""
    heads: dict[str, torch.Tensor] = {}
    for d, name in enumerate(TENTHS):
        part = signals["decile"] == d + 1
        own = unchanged(np.ones(part.sum()))
        plans = {name: own} | ({f"{name} turned": own.having(target=1 - own.target)} if d < TURNED else {})
        found = trained(rows[torch.from_numpy(part)], list(plans.values()), group[part], seed)
        heads |= {n: found[:, i] for i, n in enumerate(plans)}
    ones = np.ones(len(rows))
    read = signals.having(p_wrong=0 * ones)  # no recipe here acts on it
    whole: dict[str, Targets] = {name: treat(read, steps(words), ones)[0] for name, words in RECIPES.items()}
    if truth is not None:
        whole["all, clean labels"] = unchanged(ones).having(target=truth)
    found = trained(rows, list(whole.values()), group, seed)
    return heads | {name: found[:, i] for i, name in enumerate(whole)}


def doubted(inner: Case, wrong: NDArray[np.bool_], rate: float) -> NDArray[np.float64]:
    """1 where a label is known to be wrong or the second labeller says otherwise, 0 where not, NaN where nobody knows."""
    if rate:
        return wrong.astype(float)
    if KNOWN in inner.given:
        return np.where(inner.given[KNOWN], inner.given[OTHERWISE], np.nan)
    return np.full(len(inner), np.nan)


def draw(case: Case, rate: float, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """One split and one draw of flips: by way of voting and row of the tables, accuracies and the share of wrong labels."""
    judge = held_out(case.group, fraction=0.2, at_most=10**9, seed=1000 + seed)
    turned = flips(case, rate, seed)
    inner, outer, wrong = case.rows(~judge), case.rows(judge), turned[~judge]
    unseen = judges(outer, turned[judge], rate)
    pairs = inner.pairs(np.where(wrong, -inner.label, inner.label))
    fold, bad = folds(inner.group, 5, seed), doubted(inner, wrong, rate)
    x = case.matrix(case.members[0].view)
    rows = torch.from_numpy(x[pairs.better] - x[pairs.worse])
    apart = torch.from_numpy(x[outer.first] - x[outer.second])
    out: dict[str, dict[str, dict[str, float]]] = {}
    for way in WAYS:
        inside = way == "in sample"
        margins, _ = fit(inner.matrix, pairs, fold, inner.members, in_sample=inside)
        names = tuple(str(k) for k in range(margins.shape[1]))
        signals = price(Votes(margins, 0 * fold if inside else fold, pairs.target, names))
        heads = lessons(signals, rows, np.where(wrong, 0.0, 1.0) if rate else None, inner.group, seed)
        out[way] = {name: _right((apart @ head).numpy(), unseen) for name, head in heads.items()}
        for d, name in enumerate(TENTHS):
            told = bad[(signals["decile"] == d + 1) & ~np.isnan(bad)]
            if len(told):
                out[way][name]["wrong"] = float(told.mean())
    return out


def _right(gap: NDArray, unseen: dict[str, tuple[NDArray, NDArray]]) -> dict[str, float]:
    """Share of comparisons that the sign of `gap` [P] orders as the labels do, by kind of label; 0 counts half."""
    return {kind: float(((gap * label > 0) + 0.5 * (gap == 0))[keep].mean()) for kind, (label, keep) in unseen.items()}


Runs = list[dict[str, dict[str, dict[str, float]]]]


def over_draws(runs: Runs, way: str, row: str, kind: str, other: str = "") -> dict[str, float] | None:
    """Mean of a number over draws with its t interval, or its difference to another row's; None where nobody knows it."""
    if kind not in runs[0][way].get(row, {}):
        return None
    pairs = [{"own": r[way][row][kind], "other": r[way][other][kind] if other else 0.0} for r in runs]
    return against(pairs, "own", "other")


def grid(found: dict[str, Runs], way: str, kind: str) -> dict[str, Any] | None:
    """The table of one way of voting and one kind of labels: the paper's curve, and ours of every set that has them."""
    blocks = [name for name, runs in found.items() if kind in runs[0][way][TENTHS[0]]]
    if not blocks:
        return None
    names = list(dict.fromkeys(row for name in blocks for row in found[name][0][way]))
    paper = ["paper"] if kind == "original" else []
    rows = [
        [row, *(PAPER.get(row, "-") for _ in paper), *(_entry(found[name], way, row, kind) for name in blocks)]
        for row in names
    ]
    what = {"original": "original labels", "clean": "clean labels", "agreeing": "rows where both labels agree"}[kind]
    return {
        "title": f"Committee {way}, judged by {what}: accuracy of one head trained on (recipes: difference to all rows)",
        "columns": ["trained on", *paper, *blocks], "rows": rows,
    }  # fmt: skip


def _entry(runs: Runs, way: str, row: str, kind: str) -> str:
    mean = over_draws(runs, way, row, kind)
    if mean is None or row == WHOLE or not row.startswith("all"):
        return _cell(mean)
    return f"{mean['difference']:.3f} ({_cell(over_draws(runs, way, row, kind, WHOLE), '+.3f')})"


def shares(found: dict[str, Runs]) -> dict[str, Any]:
    """Where the wrong labels lie."""
    at = [(name, way) for name, runs in found.items() for way in WAYS if "wrong" in runs[0][way][TENTHS[0]]]
    rows = [[row, *(_cell(over_draws(found[name], way, row, "wrong")) for name, way in at)] for row in TENTHS]
    return {"title": "Share of planted flips in each tenth (as it came: of rows where the second labeller says otherwise)",
            "columns": ["tenth", *(f"{name}, {way}" for name, way in at)], "rows": rows}  # fmt: skip


def document(found: dict[str, Runs], sizes: dict[str, str]) -> dict[str, Any]:
    """What results.py prints."""
    draws = len(next(iter(found.values())))
    bars = [
        {"name": f"{name}, out of fold: the lowest tenth alone teaches the reverse (upper end of its accuracy)",
         "bar": "below 0.5", "value": over_draws(runs, WAYS[0], TENTHS[0], "original")["high"], "at_most": 0.5}
        for name, runs in found.items() if name != "text world, no flips"
    ]  # fmt: skip
    tables = [grid(found, way, kind) for kind in KINDS for way in WAYS]
    return {
        "title": "What each tenth teaches", "bars": bars, "tables": [*(t for t in tables if t), shares(found)],
        "question": "Sorted by the committee's strength and cut into tenths: what does a model learn from each tenth alone?",
        "what": f"{draws} draws of outer split (a fifth of the prompts, never audited), flips and folds; intervals over draws "
        f"(t). Committee: ten linear members on {', '.join(TRUNKS)}, out of fold by prompt, and in sample as in the paper; "
        f"a tenth trains one linear head on the first member's features from scratch, its ridge by folds inside the tenth. "
        f"Such a head has no intercept, so turning all labels of a tenth turns the head: the flip test then is 1 - accuracy "
        f"and adds nothing; what it is worth shows in the recipes on all rows. The paper's curve (Llama-2-7B, HH, original "
        f"labels) is read from its figure. Pairs (prompts), clean labels: "
        + "; ".join(f"{name}: {sizes[name]}, {BLOCKS[name].second}" for name in found) + f". torch {machine()['torch']}.",
    }  # fmt: skip


def _cell(found: dict[str, float] | None, form: str = ".3f") -> str:
    if found is None:
        return "-"
    return f"{found['difference']:{form}} [{found['low']:{form}}, {found['high']:{form}}]"


def show(name: str, runs: Runs) -> None:
    print(name)
    for row in runs[0][WAYS[0]]:
        print(f"  {row:26s} " + "  ".join(f"{kind} {_cell(over_draws(runs, way, row, kind))}" for way in WAYS
                                           for kind in runs[0][way][row]), flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", nargs="+", choices=list(BLOCKS), default=list(BLOCKS), metavar="NAME")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--name", default="deciles")
    args = parser.parse_args()
    found: dict[str, Runs] = {}
    sizes: dict[str, str] = {}
    read: dict[str, Case] = {}
    for name in args.blocks:
        block = BLOCKS[name]
        if block.set not in read:
            read[block.set] = case_for(block.set, args.store)
        case = read[block.set]
        sizes[name] = f"{len(case):,} ({len(np.unique(case.group)):,})"
        found[name] = [draw(case, block.rate, seed) for seed in range(FIRST_SEED, FIRST_SEED + args.draws)]
        show(name, found[name])
        write(args.name, document(found, sizes))  # after each: nothing is lost


if __name__ == "__main__":
    main()
