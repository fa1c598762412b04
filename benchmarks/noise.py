"""Which labels are wrong? Planted flips, and who finds them: the committee, one model, cleanlab, influence, length.

    PLAUDIT_DATA=... python benchmarks/noise.py [--sets NAME,NAME@TRUNK+TRUNK] [--seeds 3] [--document]

For every set, rate and kind of flip: AUROC for the planted flips with a 95 % interval (bootstrap over prompt groups of
the mean over draws), precision among the most suspicious 5 %, the difference between the committee and every other
method on the same rows, and how accurate the same members are on clean labels. A draw has its own flips, folds and
members' seeds, from 100 on; what was chosen was chosen on seeds below 50. `reference` is the committee trained out of
fold on UNFLIPPED labels: what these members could reach at best. Finished parts stay in ~/.cache/plaudit/noise, so a
stopped run goes on; `--document` writes the JSON from the finished parts alone.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import five_members
import noise_methods
from five_members import five
from harness import write
from noise_document import document
from noise_methods import disagreement, oracles, oriented, reseeded, suspicions
from noise_sets import SETS, Case, flips, helpful_first, vector
from plaudit.auditing import crew
from plaudit.data.split import folds
from plaudit.metrics.detection import precision_at
from plaudit.metrics.intervals import codes, mean_interval, percentiles
from plaudit.models import members
from plaudit.records import digest
from plaudit.seeds import generator
from plaudit.signals import price
from plaudit.training import bags, heads, solve

__all__ = ["interval", "oriented"]

FIRST = 100  # the first seed that judges
VECTORS = 100  # seed of the vector world; the text world is the one that other experiments read
DRAWS = 400
SMALL = "minilm-l6"
BOTH = "smollm2-135m+minilm-l6"
COMMITTEE = "committee (p_disagree)"
REFERENCE = "reference: the committee on unflipped labels"
FACTS = ("wrong", "group", "right", "by_length")
ORDER = ("vector world", "text world", "hh-helpful", "hh-harmless", "rmb sample", "ultrafeedback overlay", "tldr",
         f"hh-helpful first 1024@{BOTH}", f"hh-helpful@{BOTH}", f"hh-harmless@{BOTH}")  # fmt: skip
KINDS = (("uniform", 0.1), ("uniform", 0.25), ("uniform", 0.4))
WORLDS = (("uniform", 0.25), ("length", 0.25))
PLANS = {"ultrafeedback overlay": (("given", 0.1), ("given", 0.2), ("given", 0.3)),
         "vector world": WORLDS, "text world": WORLDS}  # fmt: skip
CODE = digest(*(Path(str(p.__file__)).read_text(encoding="utf-8")
                for p in (five_members, noise_methods, crew, members, price, bags, heads, solve)))  # fmt: skip
Found = Mapping[str, list[tuple[NDArray, NDArray]]]  # per method and draw: suspicion, which rows are wrong


@dataclass(frozen=True)
class Asked:
    """One part of the run: a set read with these trunks, one kind and rate of flips."""

    name: str
    trunks: tuple[str, ...]
    kind: str
    rate: float

    @property
    def title(self) -> str:
        return self.name if self.trunks == (SMALL,) else f"{self.name} ({' and '.join(self.trunks)})"


def resampled(found: Found, group: NDArray) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    """AUROC of every method, the mean over draws, and the same in `DRAWS` bootstrap samples of prompt groups.

    All methods and draws see the same samples, so that differences can be taken.
    """
    place = codes(group)
    kinds = int(place.max()) + 1
    counts = generator(0, "noise interval").multinomial(kinds, np.full(kinds, 1 / kinds), DRAWS)[:, place]
    counts = np.concatenate([np.ones((1, len(place)), counts.dtype), counts])  # the first: every row once
    each = {name: np.mean([aurocs(s, w, counts) for s, w in pairs], 0) for name, pairs in found.items()}
    return {name: float(a[0]) for name, a in each.items()}, {name: a[1:] for name, a in each.items()}


def aurocs(suspicion: NDArray, wrong: NDArray[np.bool_], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """AUROC, ties half, with every row taken as often as each of the rows of `counts` [D, P] says: [D]."""
    order = np.argsort(suspicion, kind="stable")
    ranked = suspicion[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] > ranked[:-1]]))
    bad = np.add.reduceat(counts[:, order] * wrong[order], starts, axis=1).astype(float)
    good = np.add.reduceat(counts[:, order] * ~wrong[order], starts, axis=1).astype(float)
    below = good.cumsum(1) - good / 2
    return (bad * below).sum(1) / (bad.sum(1) * good.sum(1))


def ends(drawn: NDArray[np.float64]) -> dict[str, float]:
    """The 95 % interval of bootstrap draws."""
    low, high = percentiles(drawn)
    return {"low": float(low), "high": float(high)}


def interval(by_seed: list[tuple[NDArray, NDArray]], group: NDArray) -> dict[str, float]:
    """Mean AUROC over seeds with a bootstrap over prompt groups, the same groups in every seed."""
    value, drawn = resampled({"one": by_seed}, group)
    return {"auroc": value["one"], **ends(drawn["one"])}


@cache
def case_for(name: str, trunks: tuple[str, ...], store: Path) -> Case:
    """The set, its features read."""
    if name == "vector world":
        return vector(4000, VECTORS)
    if name.startswith("hh-helpful first "):
        return helpful_first(int(name.split()[-1]), trunks, store)
    return SETS[name](store, trunks)


@cache
def clean_votes(name: str, trunks: tuple[str, ...], store: Path, seed: int) -> NDArray[np.float64]:
    """Votes for the FIRST response, out of fold, by the same members trained on the labels as they really are [P, K]."""
    case = case_for(name, trunks, store)
    return oriented(case, case.label, reseeded(case.members, seed), folds(case.group, 5, seed))


def one_draw(asked: Asked, store: Path, seed: int) -> dict[str, NDArray]:
    """Suspicions by every method, [P] each, under one draw of flips, folds and members; and what `FACTS` names."""
    case = case_for(asked.name, asked.trunks, store)
    given = case.given.get(f"{asked.rate:.0%}".removesuffix("%")) if asked.kind == "given" else None
    wrong = flips(case, asked.rate, seed, asked.kind) if given is None else given
    label = np.where(wrong, -case.label, case.label)
    fold = folds(case.group, 5, seed)
    found = suspicions(case, label, fold, seed)
    if asked.name != "vector world":
        found |= first_measurement(case, asked, label, fold, store)
    clean = clean_votes(asked.name, asked.trunks, store, seed)
    found[REFERENCE] = disagreement(clean * label[:, None], fold)
    sure = clean.mean(1) * case.label
    by_length = sum(case.views[m.view] == members.LENGTH for m in case.members)
    facts = {"wrong": wrong, "group": case.group, "right": (sure > 0) + 0.5 * (sure == 0), "by_length": by_length}
    return found | oracles(case, label, asked.rate, asked.kind) | facts


def first_measurement(case: Case, asked: Asked, label: NDArray, fold: NDArray, store: Path) -> dict[str, NDArray]:
    """The linear members of the first measurement, where their trunks are at hand: all together, and each."""
    margins = five(case, asked.trunks, label, fold, store)
    whole = margins.pop("all")
    together = "five linear members" if len(margins) == len(five_members.RECIPE) else (
        f"the {asked.trunks[0]} members ({len(margins)} of the five)"
    )  # fmt: skip
    return {together: -whole, **{f"one of them, {name}": -m for name, m in margins.items()}}


def draw_of(asked: Asked, seed: int, store: Path, folder: Path, compute: bool) -> dict[str, NDArray] | None:
    """The draw, from `folder` where it is finished; another one after any change of the code that makes it."""
    path = folder / f"{digest(json.dumps(asdict(asked)), f'{seed} {VECTORS}', CODE)}.npz"
    if not path.exists():
        if not compute:
            return None
        half = path.with_suffix(".part.npz")
        np.savez(half, **one_draw(asked, store, seed))
        half.replace(path)
    with np.load(path) as found:
        return dict(found)


def block(asked: Asked, draws: list[dict[str, NDArray]]) -> dict[str, Any]:
    """Every method on one set at one rate."""
    found = {name: [(d[name], d["wrong"]) for d in draws] for name in draws[0] if name not in FACTS}
    group = draws[0]["group"]
    right = np.mean([d["right"] for d in draws], 0)
    held = mean_interval(right, group)
    value, drawn = resampled(found, group)
    return {
        "set": asked.title, "kind": asked.kind, "rate": asked.rate, "seeds": len(draws),
        "n": len(group), "groups": len(np.unique(group)), "by_length": int(draws[0]["by_length"]),
        "methods": {n: {"auroc": value[n], **ends(drawn[n]), "top": float(np.mean([precision_at(*p) for p in found[n]]))}
                    for n in found},
        "way": {"value": (value[COMMITTEE] - 0.5) / (value[REFERENCE] - 0.5),
                **ends((drawn[COMMITTEE] - 0.5) / (drawn[REFERENCE] - 0.5))},
        "minus": {n: {"difference": value[COMMITTEE] - value[n], **ends(drawn[COMMITTEE] - drawn[n])}
                  for n in found if n != COMMITTEE},
        "clean": {"accuracy": float(right.mean()), "low": held.low, "high": held.high},
    }  # fmt: skip


def parts_of(text: str) -> list[Asked]:
    """`NAME` or `NAME@TRUNK+TRUNK`: one part for every kind and rate of flips."""
    name, _, trunks = text.partition("@")
    used = tuple((trunks or SMALL).split("+"))
    return [Asked(name, used, k, r) for k, r in PLANS.get(name, KINDS)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(ORDER))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/benchmarks")
    parser.add_argument("--done", type=Path, default=Path.home() / ".cache/plaudit/noise", help="finished parts")
    parser.add_argument("--document", action="store_true", help="compute nothing: write what is finished")
    args = parser.parse_args()
    args.done.mkdir(parents=True, exist_ok=True)
    blocks = []
    for asked in (part for text in args.sets.split(",") for part in parts_of(text)):
        draws = [draw_of(asked, FIRST + s, args.store, args.done, not args.document) for s in range(args.seeds)]
        if finished := [d for d in draws if d is not None]:
            blocks.append(block(asked, finished))
            show(blocks[-1])
    write("noise", document(blocks, COMMITTEE))


def show(found: dict[str, Any]) -> None:
    print(f"{found['set']} {found['kind']} {found['rate']:.0%}, n {found['n']}: " + ", ".join(
        f"{name} {row['auroc']:.3f}" for name, row in found["methods"].items()), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
