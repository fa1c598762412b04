"""Does repair help where whole models are trained? none, default and oracle as full fine-tunes, by the user's road.

    PLAUDIT_DATA=... python benchmarks/repair_full.py [--sets NAME,NAME] [--seeds 3] [--phase fresh|development]
                                                      [--also "flip:above=0.65"]...

A fifth of the prompts is set aside with its true labels. Of the rest a sample is written to a file, flips are planted
in it, `plaudit.audit` prices that file, `plaudit.repair` with its default treatment writes another, and
`plaudit.train` fine-tunes every weight on each: the same start, order and number of steps. `oracle` is the training on
the file without flips; `--also` adds arms with other treatments at 25 % flips. Finished trainings are kept in --store, so a stopped run goes on.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import noise_sets
import repair as heads
from harness import standing, write
from plaudit.auditing.audit import audit
from plaudit.auditing.repair import repair
from plaudit.data import ledger
from plaudit.data.split import groups_of, held_out
from plaudit.data.write import write as write_rows
from plaudit.metrics.accuracy import pair_credit
from plaudit.metrics.intervals import difference_interval
from plaudit.models.committee import load_trunk
from plaudit.models.score import load_scorer
from plaudit.models.tokens import encode_all
from plaudit.records import Preference, digest
from plaudit.rewards.load import load
from plaudit.seeds import generator
from plaudit.signals.treatments import mend
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions

MODEL, RATE, BATCH, LONGEST = "minilm-l6", 1e-4, 16, 256
FLIPS = 0.25
SIZES = {"text world": 1280, "hh-helpful": 400}  # comparisons to train on: a training takes minutes on one thread
DRAWN = 3000  # comparisons of a text world; a fifth of them judges
EPOCHS = {"text world": 1.0, "hh-helpful": 1.0}  # the same for all arms
HELPFUL = ("hh/helpful-base/train.jsonl.gz", "hh/helpful-base/test.jsonl.gz")
POLICY = digest(Path(str(mend.__file__)).read_text(encoding="utf-8"))[:8]  # another default is another training
WORLD = "text world"  # where the bars are; real sets are published beside it


@dataclass(frozen=True)
class Draw:
    """One draw of a set: the rows that are audited and trained on, and those that judge, all with their true labels."""

    name: str
    seed: int
    inner: list[Preference]
    outer: list[Preference]


def draw(name: str, seed: int) -> Draw:
    """Outer split by prompt group, then a sample of the rest; rows that do not fit into LONGEST tokens are left out."""
    rows = noise_sets.world("text-v1", DRAWN, seed) if name == WORLD else noise_sets.files(*HELPFUL)
    policy = load_trunk(MODEL, max_length=LONGEST).loaded.policy
    rows = [p for p, e in zip(rows, encode_all(rows, policy), strict=True) if not e.refused]
    judge = held_out(groups_of(rows), fraction=0.2, at_most=10**9, seed=1000 + seed)
    rest = np.flatnonzero(~judge)
    kept = np.sort(generator(seed, "benchmark part").permutation(rest)[: SIZES[name]])
    return Draw(name, seed, [rows[i] for i in kept], [rows[i] for i in np.flatnonzero(judge)])


def file_of(case: Draw, rate: float, folder: Path) -> tuple[Path, set[str]]:
    """The training part as a file in TRL's layout with flips planted, and the ids of what was turned round."""
    luck = generator(case.seed, "benchmark flips").random(len(case.inner)) < rate
    rows = [
        replace(p, ranks=tuple(1 - r for r in p.ranks or ())) if wrong else p
        for p, wrong in zip(case.inner, luck, strict=True)
    ]
    path = folder / "rows.jsonl"
    done = write_rows(rows, "trl", path)
    assert done.written == len(rows), done.reasons
    return path, {p.id for p, wrong in zip(case.inner, luck, strict=True) if wrong}


def repaired(file: Path, wrong: set[str], seed: int, store: Path, how: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """Audit and repair as a user would, with these treatments or the default; the repaired file and what was found."""
    target, folder = file.with_name("repaired.jsonl"), file.with_name("audit")
    found = audit([file], output_dir=folder, model=MODEL, max_length=LONGEST, seed=seed, cache=store / "cache")
    done = repair(file, audit=folder, output=target, treatment=how)
    touched = {line["id"] for line in ledger.lines(target) if "flip" in line.get("done", ())}
    facts = {
        "wrong": len(wrong), "changed": done.counts["changed"], "flipped": len(touched), "right": len(touched & wrong),
        "noise": found.summary["noise"],
    }  # fmt: skip
    return target, facts


def credit_of(scorer: Any, rows: Sequence[Preference]) -> NDArray[np.float64]:
    """What every judging row earns [P]; ties half."""
    scores = scorer.score_all(rows)
    sides = np.array([[s[i] for i in p.comparisons()[0]] for p, s in zip(rows, scores, strict=True)])
    return pair_credit(sides[:, 0], sides[:, 1])[0]


def trained(file: Path, case: Draw, folder: Path) -> dict[str, Any]:
    """Fine-tune every weight on a file; what the judging rows earn, and how long the training was."""
    options = TrainOptions(
        learning_rate=RATE, epochs=EPOCHS[case.name], batch_size=BATCH, held_out=0, max_length=LONGEST, seed=case.seed
    )
    done = train([str(file)], model=MODEL, output_dir=folder, options=options)
    credit = credit_of(load_scorer(folder / "final", max_length=LONGEST), case.outer)
    return {"credit": credit.tolist(), "steps": done["steps"], "seconds": done["seconds"]}


def cell(case: Draw, rate: float, arm: str, store: Path) -> dict[str, Any]:
    """One arm at one rate of flips, from the store when it is there; a repair that changed nothing is `none` itself."""
    how = f"{MODEL} {RATE:g} x{EPOCHS[case.name]:g} of {len(case.inner)} to {LONGEST}"
    how += f", {POLICY}" if arm == "default" else ""
    kept = store / f"{case.name}, seed {case.seed}, {rate:.0%}, {arm}, {how}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    print(kept.stem, flush=True)
    repairs = arm not in ("none", "oracle")
    facts: dict[str, Any] = {}
    with TemporaryDirectory(prefix="plaudit-repair-") as scratch:
        file, wrong = file_of(case, rate, Path(scratch))
        if repairs:
            file, facts = repaired(file, wrong, case.seed, store, () if arm == "default" else arm.split())
        same = repairs and not facts["changed"]
        found = cell(case, rate, "none", store) if same else trained(file, case, Path(scratch) / "run")
    found = {**found, "facts": facts}
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def runs_of(name: str, seeds: range, store: Path, also: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Per seed: what every arm earns on the judging rows, their prompt groups, and what repair did."""
    out = []
    for seed in seeds:
        case = draw(name, seed)
        print(f"{name}, seed {seed}: {len(case.inner)} to train on, {len(case.outer)} judge", flush=True)
        found = {(rate, arm): cell(case, rate, arm, store) for rate in (0.0, FLIPS) for arm in ("none", "default")}
        found |= {(FLIPS, words): cell(case, FLIPS, words, store) for words in also}
        steps = {f["steps"] for f in found.values()}
        assert len(steps) == 1, f"arms were trained for {steps} steps"
        credit = {key: np.array(f["credit"]) for key, f in found.items()}
        out.append({
            "seed": seed, "group": groups_of(case.outer), "credit": credit | {(FLIPS, "oracle"): credit[0.0, "none"]},
            "length": float(credit_of(load("length"), case.outer).mean()), "steps": steps.pop(),
            "train": len(case.inner), "facts": {rate: found[rate, "default"]["facts"] for rate in (0.0, FLIPS)},
            "seconds": max(f["seconds"] for f in found.values()),
        })  # fmt: skip
        show(name, out[-1])
    return out


def show(name: str, run: dict[str, Any]) -> None:
    for (rate, arm), credit in run["credit"].items():
        print(f"  {name}, seed {run['seed']}, {rate:.0%}, {arm}: {credit.mean():.3f}", flush=True)
    print(f"  length {run['length']:.3f}; {run['facts']}; {run['seconds']:.0f} s a training", flush=True)


# what came of it


def means(runs: list[dict[str, Any]], rate: float) -> list[dict[str, float]]:
    """Per seed the accuracy of every arm at a rate."""
    return [{arm: float(c.mean()) for (r, arm), c in run["credit"].items() if r == rate} for run in runs]


def over_prompts(runs: list[dict[str, Any]], rate: float, arm: str) -> dict[str, float]:
    """Mean difference of an arm to `none` over all rows of these runs, 95 % interval over prompt groups."""
    one, other = (np.concatenate([r["credit"][rate, a] for r in runs]) for a in (arm, "none"))
    low, high, _ = difference_interval(one, other, np.concatenate([r["group"] for r in runs]))
    return {"difference": float((one - other).mean()), "low": low, "high": high}


def won_back(accuracy: list[dict[str, float]]) -> float | None:
    """Share of what the flips cost that the default wins back; None when they cost next to nothing."""
    mean = {arm: float(np.mean([a[arm] for a in accuracy])) for arm in accuracy[0]}
    cost = mean["oracle"] - mean["none"]
    return (mean["default"] - mean["none"]) / cost if cost > 0.002 else None


def bars_of(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bars of the text world. Intervals over seeds: they hold what split, flips, order and start change."""
    hurt, clean = means(runs, FLIPS), means(runs, 0.0)
    cost = float(np.mean([a["oracle"] - a["none"] for a in hurt]))
    return [
        {"name": f"{WORLD}: {FLIPS:.0%} flips cost", "bar": "at least 4 points", "value": cost, "at_least": 0.04},
        {"name": f"{WORLD}: share of it that the default wins back", "bar": "at least 50 %", "value": won_back(hurt),
         "at_least": 0.5},
        {"name": f"{WORLD}: lower end of the default's gain at {FLIPS:.0%} (over seeds)", "bar": "above 0",
         "value": heads.against(hurt, "default", "none")["low"], "at_least": 1e-9},
        {"name": f"{WORLD}: lower end of the default's difference at 0 % flips (over seeds)", "bar": "above -0.5 point",
         "value": heads.against(clean, "default", "none")["low"], "at_least": -0.005},
    ]  # fmt: skip


def span(found: dict[str, float]) -> str:
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def accuracies(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy by seed, and over all of them with both intervals."""
    hurt, clean = means(runs, FLIPS), means(runs, 0.0)
    rows = []
    for run, h, c in zip(runs, hurt, clean, strict=True):
        rows.append([f"seed {run['seed']}", len(run["group"]), run["length"], h["oracle"], c["default"], h["none"], h["default"],
                     span(over_prompts([run], 0.0, "default")), span(over_prompts([run], FLIPS, "default")),
                     span(over_prompts([run], FLIPS, "oracle")), won_back([h])])  # fmt: skip
    mean = lambda values: float(np.mean(list(values)))  # noqa: E731
    both = {"all, over prompts": lambda r, arm: over_prompts(runs, r, arm),
            "all, over seeds": lambda r, arm: heads.against(hurt if r else clean, arm, "none")}  # fmt: skip
    for words, gap in both.items():
        rows.append([words, sum(len(r["group"]) for r in runs), mean(r["length"] for r in runs),
                     mean(h["oracle"] for h in hurt), mean(c["default"] for c in clean), mean(h["none"] for h in hurt),
                     mean(h["default"] for h in hurt), span(gap(0.0, "default")), span(gap(FLIPS, "default")),
                     span(gap(FLIPS, "oracle")), won_back(hurt)])  # fmt: skip
    columns = ["draw", "judging pairs", "length only", "0 %: none (= oracle)", "0 %: default", f"{FLIPS:.0%}: none",
               f"{FLIPS:.0%}: default", "default - none, 0 %", f"default - none, {FLIPS:.0%}",
               f"oracle - none, {FLIPS:.0%}", "won back"]  # fmt: skip
    title = f"{name}: {runs[0]['train']:,} training pairs, {runs[0]['steps']} steps; accuracy on outer prompts, differences [95 %]"
    return {"title": title, "columns": columns, "rows": rows}


def touched(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What the default changed in each file."""
    rows = []
    for name, runs in found.items():
        for run in runs:
            for rate, f in run["facts"].items():
                rows.append(
                    [
                        name,
                        run["seed"],
                        f"{rate:.0%}",
                        f["wrong"],
                        f["changed"],
                        f["flipped"],
                        f["right"],
                        told(f["noise"]),
                    ]
                )
    columns = [
        "set",
        "seed",
        "flips",
        "labels planted wrong",
        "changed by repair",
        "flipped by repair",
        "of these planted",
        "rate told by the audit [95 %]",
    ]
    return {"title": "What the default changed", "columns": columns, "rows": rows}


def told(noise: dict[str, Any]) -> str:
    """The audit's own estimate of the rate of wrong labels, and whether p_wrong rests on it."""
    rate = noise["rates"]["all"]
    text = f"{rate['rate']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"
    return text if noise["identified"] else f"{text}: cannot be told"


def document(found: dict[str, list[dict[str, Any]]], old: dict[str, Any]) -> dict[str, Any]:
    """What results.py prints; tables, rows and bars of sets that were not run now stay as they were published."""
    tables = [accuracies(name, runs) for name, runs in found.items()]
    tables += [t for t in old["tables"][:-1] if t["title"].split(":")[0] not in found]
    changed = touched(found)
    changed["rows"] += [r for t in old["tables"][-1:] for r in t["rows"] if r[0] not in found]
    place = list(SIZES).index
    tables.sort(key=lambda t: place(t["title"].split(":")[0]))
    changed["rows"].sort(key=lambda r: place(r[0]))
    seeds = [run["seed"] for run in next(iter(found.values()))]
    return {
        "title": "Repairing labels, whole models",
        "question": "Does a reward model whose every weight is trained win back what wrong labels cost?",
        "what": f"{MODEL}, all weights, learning rate {RATE:g}, batch {BATCH}, one pass, at most {LONGEST} tokens, float32; "
        f"seeds {seeds[0]} to {seeds[-1]}, each with its own split, flips, order and start, which its arms share. A fifth of the "
        f"prompts judges with its true labels and is never audited. The road is the user's: a file with {FLIPS:.0%} uniform "
        f"flips, `plaudit audit` with {MODEL}, `plaudit repair` with its default, `plaudit train` on either file. At 0 % "
        f"flips `none` is the oracle. A random scorer gets 0.5. Intervals over prompts: bootstrap over prompt groups; over seeds: t.",
        "bars": bars_of(found[WORLD]) if WORLD in found else old["bars"],
        "tables": [*tables, changed],
        "notes": [],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(SIZES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--phase", choices=["development", "fresh"], default="fresh")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/plaudit/repair-full")
    parser.add_argument("--also", action="append", default=[], help="treatments of one more arm, separated by blanks")
    args = parser.parse_args()
    args.store.mkdir(parents=True, exist_ok=True)
    first = 0 if args.phase == "development" else 100
    found = {
        name: runs_of(name, range(first, first + args.seeds), args.store, args.also) for name in args.sets.split(",")
    }
    fresh = args.phase == "fresh"
    result = document(found, standing("repair_full") if fresh else {"tables": [], "bars": []})
    if fresh:
        write("repair_full", result)
    else:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
