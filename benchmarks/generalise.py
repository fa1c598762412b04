"""Do contrastive regularisers and MetaRM carry a reward model over to data of another kind? Against plain training.

    PLAUDIT_DATA=... python benchmarks/generalise.py [--draws 10] [--seeds 2] [--cache DIR]

Same pairs, same steps, same seeds for every arm. First the vector world's shifted law (`generalise_law.py`); then minilm-l6
trained by `plaudit train` on HH helpful, judged on TL;DR and UltraFeedback. MetaRM sees unlabelled responses of the shifted
side, to prompts that judge nothing. Nothing was chosen by what judges. Finished trainings are kept in `--cache`: a stopped
script goes on, and the JSON is written after every seed.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import generalise_law as law
import plaudit
from harness import machine, write
from noise_sets import files, trunk_of
from plaudit.data.split import groups_of
from plaudit.data.write import write as save
from plaudit.metrics.intervals import drawn_means, mean_interval, percentiles
from plaudit.models.score import load_scorer
from plaudit.models.tokens import encode
from plaudit.records import Preference, digest, group
from plaudit.scorer import Scorer
from plaudit.seeds import generator
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions
from repair import against

META = {"meta": "shifted groups", "meta_eta": 1.0}
SIMCSE, SWAV = {"contrastive": "simcse"}, {"contrastive": "swav"}
APART = {"contrastive_on": "difference"}
ARMS: dict[str, dict[str, Any]] = {
    "plain": {}, "SimCSE on pairs": SIMCSE, "SimCSE on differences": SIMCSE | APART, "SwAV on pairs": SWAV,
    "SwAV on differences": SWAV | APART, "MetaRM, eta 1": META, "SimCSE on pairs and MetaRM, eta 1": SIMCSE | META,
}  # fmt: skip
LAW_ARMS = ARMS | {
    "two views, no regulariser": SIMCSE | {"contrastive_beta": 0.0},
    f"MetaRM, eta {TrainOptions().meta_eta:g} (default)": {"meta": META["meta"]},
    "MetaRM, eta 1, exact": META | {"meta_order": "exact"},
    "MetaRM, eta 1, on groups of the usual law": META | {"meta": "usual groups"},
}
MODEL, PAIRS, BATCH, META_BATCH, RATE, EPOCHS, CHARS = "minilm-l6", 256, 16, 8, 1e-4, 2.0, 600
LAWS = {law.USUAL: "usual law", law.SHIFTED: "shifted law"}
NAME = "HH helpful to TL;DR and UltraFeedback"


@dataclass(frozen=True)
class Task:
    """What is trained on (a part of `pool`), what judges, and the unlabelled groups; the first test is of the same kind."""

    pool: list[Preference]
    tests: dict[str, list[Preference]]
    meta: list[Preference]


def short(preferences: Sequence[Preference], most: int) -> list[Preference]:
    """Those whose prompt and responses have at most so many characters together and fit the model."""
    turns = lambda p: [m for part in (p.prompt, *p.responses) for m in part]  # noqa: E731
    few = [p for p in preferences if sum(len(m.text) for m in turns(p)) <= most]
    return [p for p in few if not encode(p, trunk_of(MODEL).loaded.policy).refused]


def some(preferences: Sequence[Preference], n: int, seed: int) -> list[Preference]:
    """Whole prompts in random order until there are n preferences or more."""
    groups = groups_of(preferences)
    kinds, place = np.unique(groups, return_inverse=True)
    rank = generator(seed, "benchmark prompts").permutation(len(kinds))[place]
    sizes = np.bincount(rank, minlength=len(kinds))
    last = int(np.searchsorted(np.cumsum(sizes), min(n, len(place))))
    return [preferences[i] for i in np.argsort(rank, kind="stable") if rank[i] <= last]


def without(preferences: Sequence[Preference], others: Sequence[Preference]) -> list[Preference]:
    """Those whose prompt is not among the others'."""
    known = set(groups_of(others).tolist())
    return [p for p, g in zip(preferences, groups_of(preferences).tolist(), strict=True) if g not in known]


def unlabelled(preferences: Sequence[Preference], n: int, most: int = 4) -> list[Preference]:
    """n prompts with their first different responses, at most `most`, and no ranks."""
    found: dict[Any, list] = {}
    for p in preferences:
        own = found.setdefault(p.prompt, [])
        own += [r for r in p.responses if r not in own]
    several = [(prompt, own[:most]) for prompt, own in found.items() if len(own) > 1]
    pick = generator(0, "benchmark meta").permutation(len(several))[:n]
    return [group(several[i][0], several[i][1], None) for i in pick]


def hh() -> Task:
    """HH helpful, judged on itself, TL;DR and UltraFeedback."""
    tests = {
        "HH helpful": short(files("hh/helpful-base/test.jsonl.gz"), CHARS),
        "TL;DR": some(short(files("tldr/test.parquet"), 2000), 300, 0),
        "UltraFeedback": short(files("ultrafeedback_binarized/eval.jsonl.gz"), 2600),
    }
    judges = [p for test in tests.values() for p in test]
    meta = [
        p for name in ("tldr/train.parquet", "ultrafeedback_binarized/train.jsonl.gz")
        for p in unlabelled(without(short(files(name), 1200), judges), PAIRS // 2)
    ]  # fmt: skip
    return Task(short(files("hh/helpful-base/train.jsonl.gz"), CHARS), tests, meta)


def credit(scorer: Scorer, preferences: Sequence[Preference]) -> list[float]:
    """1 where the better response of a pair scores higher, 1/2 for a tie."""
    found = []
    for p, s in zip(preferences, scorer.score_all(preferences), strict=True):
        better, worse = p.comparisons()[0]
        found.append(float(s[better] > s[worse]) + 0.5 * float(s[better] == s[worse]))
    return found


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What `make` gives, computed once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = make()
        path.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def run(task: Task, arm: str, seed: int, cache: Path) -> dict[str, Any]:
    """One training: what every judging pair earned, steps, and the means of what the steps said."""
    lesson, meta = some(task.pool, PAIRS, seed), "meta" in ARMS[arm]
    more = {"meta": "meta.jsonl", "meta_batch_size": META_BATCH} if meta else {}
    options = TrainOptions(
        epochs=EPOCHS, learning_rate=RATE, batch_size=BATCH, held_out=0, save_total_limit=1, seed=seed, dtype="float32",
        **(ARMS[arm] | more),
    )  # fmt: skip
    seen = [*lesson, *(task.meta if meta else []), *(p for test in task.tests.values() for p in test)]
    name = digest(MODEL, repr(options), *(p.content for p in seen))
    folder = cache / name

    def make() -> dict[str, Any]:
        print(f"{arm}, seed {seed}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        save(lesson, "canonical", folder / "lesson.jsonl")
        save(task.meta, "canonical", folder / "meta.jsonl")
        own = options.model_copy(update={"meta": str(folder / "meta.jsonl") if meta else ""})
        done = train([str(folder / "lesson.jsonl")], model=MODEL, output_dir=folder / "run", options=own)
        scorer = load_scorer(folder / "run" / "final", dtype="float32")
        lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
        facts = {k: float(np.mean([x[k] for x in lines])) for k in lines[0] if k.startswith("plaudit/")}
        earned = {test: credit(scorer, rows) for test, rows in task.tests.items()}
        shutil.rmtree(folder)
        return {
            "arm": arm,
            "seed": seed,
            "steps": done["steps"],
            "seconds": done["seconds"],
            "facts": facts,
            "credit": earned,
        }

    return kept(cache / f"{name}.json", make)


def both(gaps: NDArray, groups: NDArray) -> tuple[float, float, float]:
    """(mean, low, high) of gaps [n, seeds]: prompts and seeds are drawn anew, each with replacement."""
    drawn = drawn_means(gaps, groups)
    take = generator(0, "benchmark seeds").integers(0, gaps.shape[1], drawn.shape)
    low, high = percentiles(np.take_along_axis(drawn, take, 1).mean(1))
    return float(gaps.mean()), float(low), float(high)


def verdict(where: str, ends: dict[str, tuple[float, float]]) -> str:
    """Which arms are above plain, below it, or not told apart from it, by the intervals of their differences."""
    above = [arm for arm, (low, _) in ends.items() if low > 0]
    below = [arm for arm, (_, high) in ends.items() if high < 0]
    other = [arm for arm in ends if arm not in above + below]
    said = {"Above plain": above, "Below plain": below, "Not told apart from plain": other}
    return " ".join([f"{where}.", *(f"{word}: {'; '.join(arms)}." for word, arms in said.items() if arms)])


def transfer(task: Task, runs: dict[str, list[dict[str, Any]]]) -> tuple[dict[str, Any], list[str]]:
    """One table: accuracy of every arm on every test, and its paired difference to plain; and what it says."""
    notes = []
    rows = {arm: [arm] for arm in [*runs, "length only", "random"]}
    columns = ["trained"]
    for test, judges in task.tests.items():
        groups = groups_of(judges)
        columns += [f"{test} ({len(judges)} pairs, {len(set(groups.tolist()))} prompts)", "minus plain", "by seed"]
        earned = {arm: np.array([r["credit"][test] for r in own]).T for arm, own in runs.items()}  # [n, seeds]
        earned |= {c: np.array([credit(plaudit.load(c.split()[0]), judges)]).T for c in ("length only", "random")}
        ends = {}
        for arm, values in earned.items():
            end = mean_interval(values.mean(1), groups)
            gap, low, high = both(values - earned["plain"], groups)
            if arm in runs and arm != "plain":
                ends[arm] = low, high
            rows[arm] += [
                f"{values.mean():.3f} [{end.low:.3f}, {end.high:.3f}]",
                "" if arm == "plain" else f"{gap:+.3f} [{low:+.3f}, {high:+.3f}]",
                " ".join(f"{v:.3f}" for v in values.mean(0)),
            ]
        notes.append(verdict(f"Trained on HH helpful, judged on {test}", ends))
    title = (
        f"{NAME}: accuracy [95 %, over prompts], difference to plain on the same pairs [95 %, over seeds and prompts]"
    )
    return {"title": title, "columns": columns, "rows": list(rows.values())}, notes


def shifted(seeds: range, cache: Path) -> tuple[dict[str, Any], list[str]]:
    """The table of the vector world, over draws, and what it says."""
    settings = repr((LAW_ARMS, law.EPOCHS, law.RATE, law.PAIRS, law.JUDGED, law.WIDTH))
    runs = []
    for s in seeds:
        print(f"vector world, draw {s}", flush=True)
        runs.append(kept(cache / f"law {digest(settings)} {s}.json", lambda s=s: law.one(LAW_ARMS, s)))
    rows, ends = [], {which: {} for which in LAWS}
    for arm in runs[0]:
        cells: list[Any] = [arm]
        for which in LAWS:
            flat = [{a: r[a][which] for a in r} for r in runs]
            d = against(flat, arm, "plain")
            said = "" if arm == "plain" else f"{d['difference']:+.4f} [{d['low']:+.4f}, {d['high']:+.4f}]"
            if arm in LAW_ARMS and arm != "plain":
                ends[which][arm] = d["low"], d["high"]
            cells += [float(np.mean([r[arm] for r in flat])), said]
        rows.append(cells)
    columns = ["trained", *(c for name in LAWS.values() for c in (name, "minus plain"))]
    title = f"The vector world, usual and shifted law: accuracy, difference to plain [95 %, t over {len(runs)} draws]"
    notes = [verdict(f"Vector world, {LAWS[which]}", ends[which]) for which in LAWS]
    return {"title": title, "columns": columns, "rows": rows}, notes


def remark(task: Task, runs: dict[str, list[dict[str, Any]]]) -> str:
    """How many steps, and how far the ascent goes."""
    first = runs["plain"][0]
    norm = np.mean([r["facts"]["plaudit/meta_grad_norm"] for r in runs["MetaRM, eta 1"]])
    return (
        f"{NAME}: {first['steps']} steps of {BATCH} pairs; {len(task.meta)} meta groups, {META_BATCH} a step; the meta "
        f"gradient's norm was {norm:.2f} on average, which is how far MetaRM looks ahead at eta 1 (at the default eta, "
        f"{TrainOptions().meta_eta:g}, it would be {TrainOptions().meta_eta * norm:.1e}, next to nothing). With {len(runs['plain'])} "
        f"seeds, drawing seeds anew says little about their spread: the accuracies by seed stand beside."
    )


def document(vectors: tuple[dict[str, Any], list[str]], task: Task, runs: dict[str, list]) -> dict[str, Any]:
    """What results.py prints; `runs` may be of no seed yet."""
    seeds = len(runs["plain"])
    shared = [len(np.intersect1d(groups_of(task.meta), groups_of(rows))) for rows in task.tests.values()]
    (table, notes), (other, more) = (
        vectors,
        transfer(task, runs) if seeds else (None, ["The text runs are not in here yet."]),
    )
    text = (
        f" Text: {MODEL}, all weights, float32, {PAIRS} pairs of at most {CHARS} characters (drawn anew per seed), {EPOCHS:g} "
        f"epochs, learning rate {RATE:g} (not searched for), {seeds} seeds; views drop attention weights; the same judging pairs for "
        f"all."
    )
    return {
        "title": "Generalising: contrastive regularisers and MetaRM",
        "question": "Do contrastive regularisers and MetaRM carry a reward model over to data of another kind?",
        "what": f"Every arm has the same pairs, steps and seeds as plain Bradley-Terry. Vector world: {law.PAIRS} clean pairs of the "
        f"usual law, {law.JUDGED:,} of each law judge, all drawn anew each time; a network of two layers of {law.WIDTH} under the "
        f"trainer's own steps ({law.EPOCHS:g} epochs, learning rate {law.RATE:g}, chosen by plain training on the usual law on "
        f"development seeds); views drop parts of what the head reads; meta groups: {law.PAIRS} pairs of the shifted law."
        f"{text * bool(seeds)} Weights and temperatures of the regularisers are the defaults. torch {machine()['torch']}.",
        "bars": [{"name": "prompts that are in a meta set and judge", "bar": "none", "value": sum(shared), "equals": 0}],
        "tables": [table, *([other] if other else [])],
        "notes": notes + more + ([remark(task, runs)] if seeds else []),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--draws", type=int, default=10, help="of the vector world")
    parser.add_argument("--seeds", type=int, default=2, help="of the text runs")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/plaudit/generalise")
    args = parser.parse_args()
    vectors = shifted(range(100, 100 + args.draws), args.cache)
    task = hh()
    runs: dict[str, list] = {arm: [] for arm in ARMS}
    for seed in range(100, 100 + args.seeds + 1):
        done = document(vectors, task, runs)
        for found in done["tables"]:
            print(found["title"], *(" | ".join(map(str, row)) for row in found["rows"]), sep="\n  ", flush=True)
        write("generalise", done)
        if seed < 100 + args.seeds:
            for arm in ARMS:
                runs[arm].append(run(task, arm, seed, args.cache))


if __name__ == "__main__":
    main()
