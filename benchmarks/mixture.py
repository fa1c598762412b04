"""Several kinds of preferences in one audit: does a committee find more wrong labels when each kind is learned apart?

    PLAUDIT_DATA=... python benchmarks/mixture.py [--seeds 3] [--store DIR]

The same planted flips and folds every time; only which rows a head learns from differs. Controls: one set cut in two at
random by prompt (nothing to gain, half the rows), and two sets that differ without asking for opposite things.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from committee import TRUNKS, around
from harness import machine, write
from noise_methods import reseeded
from noise_sets import SETS, Case, flips
from plaudit.auditing.apart import compared, learn_apart
from plaudit.data.split import folds
from plaudit.metrics.detection import auroc
from plaudit.seeds import generator
from plaudit.training.heads import fit

RATE, FIRST = 0.25, 50
MIXTURES: list[tuple[str, list[str], str]] = [
    ("HH helpful and harmless", ["hh-helpful", "hh-harmless"], "minilm-l6"),
    ("HH helpful and harmless", ["hh-helpful", "hh-harmless"], "smollm2-135m"),
    ("HH harmless and TL;DR", ["hh-harmless", "tldr"], "minilm-l6"),
    ("HH helpful, cut in two at random", ["hh-helpful"], "minilm-l6"),
]


def read_by(case: Case, trunk: int) -> Case:
    """The set with the views of one of its trunks only, and ten members that go round them."""
    own = [v for v, view in enumerate(case.views) if view.trunk == trunk]
    views = [case.views[v] for v in own]
    return replace(case, views=views, matrix=lambda v: case.matrix(own[v]), members=around(list(range(len(own)))))


def mixed(cases: list[Case]) -> tuple[Case, NDArray[np.int64]]:
    """The sets end to end as one, and which of them each comparison [P] is of."""
    rows = np.cumsum([0, *(len(c.chars) for c in cases)])
    join: Callable[[str], NDArray] = lambda name: np.concatenate([getattr(c, name) for c in cases])  # noqa: E731
    shifted = lambda name: np.concatenate([getattr(c, name) + at for c, at in zip(cases, rows, strict=False)])  # noqa: E731
    whole = replace(
        cases[0], matrix=lambda v: np.concatenate([c.matrix(v) for c in cases]), first=shifted("first"),
        second=shifted("second"), label=join("label"), group=join("group"), chars=join("chars"),
        preferences=[p for c in cases for p in c.preferences],
    )  # fmt: skip
    return whole, np.repeat(np.arange(len(cases)), [len(c) for c in cases])


def halves(case: Case) -> NDArray[np.int64]:
    """0 or 1 for every comparison, by its prompt, at random."""
    kinds, place = np.unique(case.group, return_inverse=True)
    return generator(0, "mixture halves").integers(0, 2, len(kinds))[place]


def measured(case: Case, kind: NDArray[np.int64], seed: int) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Of every kind: AUROC of the committee that learned from all rows, from that kind's only, and of half the members
    each way; and the comparison by agreement with the labels from which an audit decides.
    """
    wrong = flips(case, RATE, seed)
    label = np.where(wrong, -case.label, case.label)
    fold, members, pairs = folds(case.group, 5, seed), reseeded(case.members, seed), case.pairs(label)
    parts = {str(k): kind == k for k in np.unique(kind)}
    together, _ = fit(case.matrix, pairs, fold, members)
    alone, _ = learn_apart(case.matrix, pairs, fold, members, parts, together)
    half = np.where(np.arange(len(members)) % 4 < 2, together, alone)  # both poolings go each way
    ways = {"together": together, "apart": alone, "half of the members each way": half}
    found = {
        name: {way: auroc(-votes.mean(1)[own], wrong[own]) for way, votes in ways.items()} for name, own in parts.items()
    }  # fmt: skip
    return found, compared(together, alone, pairs, parts)


def decided(told: list[dict[str, Any]]) -> str:
    """In how many draws an audit would learn apart, and the differences that it goes by."""
    chosen = sum(t["low"] > 0 for t in told)
    gaps = ", ".join(f"{100 * t['ahead']:+.1f} ({100 * t['low']:+.1f} to {100 * t['high']:+.1f})" for t in told)
    return f"apart in {chosen} of {len(told)}: {gaps} points"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    args = parser.parse_args()
    rows: list[list[Any]] = []
    for title, sets, trunk in MIXTURES:
        cases = [read_by(SETS[name](args.store, TRUNKS[name]), TRUNKS[name].index(trunk)) for name in sets]
        case, kind = mixed(cases) if len(cases) > 1 else (cases[0], halves(cases[0]))
        found = [measured(case, kind, FIRST + s) for s in range(args.seeds)]
        told = [t for _, t in found]
        for k, name in enumerate(sets if len(sets) > 1 else ["one half", "the other half"]):
            own = [f[str(k)] for f, _ in found]
            means = {way: float(np.mean([f[way] for f in own])) for way in own[0]}
            gaps = [f["apart"] - f["together"] for f in own]
            rows.append([f"{title}, {trunk}", f"{name} ({int((kind == k).sum()):,})", *means.values(),
                         " ".join(f"{g:+.3f}" for g in gaps), decided(told) if k == 0 else ""])  # fmt: skip
            print(*rows[-1], sep=" | ", flush=True)
    write("mixture", {
        "title": "Several kinds of data in one audit",
        "question": "Does a committee find more wrong labels when each file is audited by itself?",
        "what": f"Out-of-fold votes of the default committee (5 folds by prompt), {RATE:.0%} uniform flips, {args.seeds} draws; the "
        f"same flips, folds and seeds in a row. torch {machine()['torch']}.",
        "bars": [],
        "tables": [{
            "title": "AUROC for planted flips, by which rows a head learns from",
            "columns": ["audited", "judged on (comparisons)", "all rows together", "each apart", "half of the members each way",
                        "apart minus together, by draw", "how an audit decides: labels agreed with, apart minus together"],
            "rows": rows,
        }],
        "notes": [],
    })  # fmt: skip


if __name__ == "__main__":
    main()
