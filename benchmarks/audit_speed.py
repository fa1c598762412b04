"""What an audit costs: fifty heads on one tree pass, against one padded scoring pass and against ten trainings.

    PLAUDIT_DATA=... python benchmarks/audit_speed.py [--pairs 320] [--dtypes float32] [--repeats 3]

On a sample of HH training pairs, taken in turn: the whole audit with an empty cache (reading, checks, trunk up to the
last layer used, heads, report), the same from its cache with other thresholds, and plain transformers scoring the same
pairs once in padded batches of 8 pairs in data order. On TL;DR with minilm-l6: the audit against one scoring pass of
plaudit's own. Models are loaded before the clock starts on every side. Dearer committees (LoRA members, whole models,
the paper's ten trainings) are timed for a few steps and a scoring pass of the same pairs, and the rest is reckoned.
Every part is added to audit_speed.json when it is done, and those that stand there stay; a part that was not run has no bars.

Quality beside cost: all HH training pairs with 25 % planted flips, audited by the same committees (`--parts whole`).
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness import alternate, data_folder, machine, ratio, standing, write
from our_training import staged, timed
from plaudit.auditing import audit as room
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.store import load
from plaudit.auditing.vote import trunks_of
from plaudit.metrics.detection import auroc
from plaudit.models.backbone import load_backbone
from plaudit.models.embedded import path as built
from plaudit.models.score import ModelScorer, scores
from plaudit.models.tokens import encode_all
from plaudit.records import Preference
from plaudit.seeds import generator
from plaudit.training.options import TrainOptions
from score_speed import Padded

HH = ("hh/helpful-base/train.jsonl.gz", "hh/harmless-base/train.jsonl.gz")
STEPS, BATCH = 5, 16  # of the trainings that are timed
SHARE = 0.8 * (1 - np.exp(-1))  # of the pairs: four folds of five, and what a bootstrap over prompts draws at all


def sample(names: tuple[str, ...], count: int, folder: Path) -> Path:
    """Every k-th row of the files, as a file of their own lines."""
    import gzip

    rows = []
    for name in names:
        with gzip.open(data_folder() / name, "rt", encoding="utf-8") as f:
            rows += f.readlines()
    step = max(len(rows) // count, 1)
    path = folder / "sample.jsonl"
    path.write_text("".join(rows[::step][:count]), encoding="utf-8")
    return path


class Timed:
    """The audit with its trunk loaded beforehand; seconds of its parts are kept."""

    def __init__(self, options: dict[str, Any], folder: Path) -> None:
        self.options, self.folder, self.turn = options, folder, 0
        self.trunks = trunks_of(AuditOptions(**options))
        self.heads: list[float] = []
        room.trunks_of = lambda _: self.trunks  # loaded once, outside the clock, as on the other side
        self._watch()

    def _watch(self) -> None:
        from plaudit.auditing import vote

        plain = vote._fit

        def fit(*args, **more):
            start = time.perf_counter()
            out = plain(*args, **more)
            self.heads.append(time.perf_counter() - start)
            return out

        vote._fit = fit

    def fresh(self, file: Path) -> None:
        self.turn += 1
        self.cache = self.folder / f"cache-{self.turn}"
        room.audit([file], output_dir=self.folder / f"audit-{self.turn}", cache=self.cache, **self.options)

    def again(self, file: Path) -> None:
        target = self.folder / f"again-{self.turn}"
        room.audit([file], output_dir=target, cache=self.cache, wrong=0.7, **self.options)


def preferences(files: list[Path]) -> list[Preference]:
    from plaudit.data.read import read

    return [p for row in read([str(f) for f in files]) for p in row.records if isinstance(p, Preference)]


def against_padded(pairs: int, dtype: str, repeats: int) -> dict[str, Any]:
    """smollm2-135m on HH: audit, audit from cache, one padded pass."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = sample(HH, pairs, folder)
        name = str(built("smollm2-135m"))
        clock = Timed({"model": "smollm2-135m", "dtype": dtype, "max_length": 512}, folder)
        encoded = encode_all(preferences([file]), clock.trunks[0].loaded.policy)
        padded = Padded(name, getattr(__import__("torch"), dtype))
        padded.score(encoded[:4], 4, False)
        turns = alternate(
            {
                "audit": lambda: clock.fresh(file), "from cache": lambda: clock.again(file),
                "padded": lambda: padded.score(encoded, 8, False),
            },
            repeats=repeats,
        )  # fmt: skip
        heads = [h / (a - h) for h, a in zip(clock.heads, turns["audit"], strict=True)]
        summary = json.loads((folder / "audit-1/audit.json").read_text(encoding="utf-8"))
        one = statistics.median(turns["padded"])
        dear = {how: training(name, file, folder, how, dtype) / one for how in ("lora", "full")}
        scoring = scored(name, encoded, dtype) / one
        return {
            "pairs": len(encoded), "dtype": dtype, "audit_over_padded": ratio(turns["audit"], turns["padded"]),
            "cache_over_first": ratio(turns["from cache"], turns["audit"]),
            "heads_over_rest": statistics.median(heads), "accuracy": summary["accuracy"],
            "likeness": summary["likeness"]["mean"], "training": dear, "scoring": scoring,
        }  # fmt: skip


def training(model: str, file: Path, folder: Path, how: Any, dtype: Any) -> float:
    """Seconds that one epoch of the sample takes, reckoned by tokens from STEPS steps of BATCH pairs."""
    options = TrainOptions(
        tuning=how, epochs=1, batch_size=BATCH, held_out=0, dtype=dtype, max_length=512, max_steps=STEPS, device="cpu"
    )  # fmt: skip
    stage = staged(model, file, options)
    timed(staged(model, file, options.model_copy(update={"max_steps": 1})))
    found = timed(stage)
    return found["seconds"] * len(stage.prepared.train) / (STEPS * BATCH)


def scored(model: str, encoded, dtype: Any) -> float:
    """Seconds of one pass of plaudit's own over the same pairs, to the last layer."""
    scorer = ModelScorer(load_backbone(model, max_length=512), dtype=dtype, budget=4096)
    scores(scorer.reader, encoded[:4], budget=scorer.budget, dtype=dtype)
    start = time.perf_counter()
    scores(scorer.reader, encoded, budget=scorer.budget, dtype=dtype)
    return time.perf_counter() - start


def against_scoring(repeats: int) -> dict[str, Any]:
    """minilm-l6 on all TL;DR training pairs: the whole audit against one scoring pass of our own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = data_folder() / "tldr/train.parquet"
        clock = Timed({"model": "minilm-l6", "max_length": 512}, folder)
        scorer = ModelScorer(load_backbone("minilm-l6", max_length=512), dtype="float32", budget=4096)

        def score() -> None:
            encoded = encode_all(preferences([file]), scorer.loaded.policy)
            scores(scorer.reader, encoded, budget=scorer.budget)

        turns = alternate({"audit": lambda: clock.fresh(file), "scoring": score,
                           "from cache": lambda: clock.again(file)}, repeats=repeats)  # fmt: skip
        return {
            "pairs": len(preferences([file])), "audit_over_scoring": ratio(turns["audit"], turns["scoring"]),
            "cache_over_first": ratio(turns["from cache"], turns["audit"]),
            "heads_over_rest": statistics.median(
                h / (a - h) for h, a in zip(clock.heads, turns["audit"], strict=True)),
        }  # fmt: skip


def whole() -> dict[str, Any]:
    """All HH training pairs, every fourth label flipped by chance: who finds the flips, by what is paid for."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = sample(HH, 10**9, folder)
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        wrong = generator(0, "audit speed flips").random(len(rows)) < 0.25
        turned = [
            {**r, "chosen": r["rejected"], "rejected": r["chosen"]} if w else r
            for r, w in zip(rows, wrong, strict=True)
        ]
        file.write_text("".join(json.dumps(r) + "\n" for r in turned), encoding="utf-8")
        table = []
        for heads in ("linear", "mlp", "mixed"):
            options = {"model": "smollm2-135m", "max_length": 512, "heads": heads, "cache": folder / "cache"}
            room.audit([file], output_dir=folder / heads, **options)
            signals, summary = load(folder / heads)
            planted = wrong[[int(str(place).rsplit(":", 1)[1]) - 1 for place in signals["source"]]]
            doubts = {f"ten members, {heads}": signals["p_disagree"]}
            if heads == "linear":
                named = [m["name"] for m in summary["members"]]
                doubts |= {f"one of them: {who}": -signals["margins"][:, k] for k, who in enumerate(named)}
                doubts["which response is longer"] = -signals["chosen_is_longer"].astype(float)
            agrees = summary["accuracy"]["score"]
            table += [[who, auroc(d, planted), agrees if who.startswith("ten") else None] for who, d in doubts.items()]
        return {"pairs": len(rows), "audited": len(planted), "planted": float(planted.mean()), "rows": table}


PARTS: dict[str, Any] = {
    "float32": lambda a: against_padded(a.pairs, "float32", a.repeats),
    "bfloat16": lambda a: against_padded(a.pairs, "bfloat16", a.repeats),
    "tldr": lambda a: against_scoring(a.repeats),
    "whole": lambda a: whole(),
}


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument(
        "--parts",
        default=",".join(PARTS),
        help="float32, bfloat16, tldr, whole; comma separated; empty: only write the document anew",
    )
    ask.add_argument("--pairs", type=int, default=320)
    ask.add_argument("--repeats", type=int, default=3)
    args = ask.parse_args()
    where = machine()
    for name in [None, *filter(None, args.parts.split(","))]:
        known = standing("audit_speed")["parts"]
        if name:
            known[name] = PARTS[name](args) | {"repeats": args.repeats, "threads": where["threads"]}
        write("audit_speed", document(known, where))


def document(known: dict[str, Any], where: dict[str, Any]) -> dict[str, Any]:
    """What results.py prints."""
    passes = {d: known[d] for d in ("float32", "bfloat16") if d in known}
    bars, ratios, dear = [], [], []
    for dtype, row in passes.items():
        bars += [
            {"name": f"audit against one padded scoring pass, {dtype}", "bar": "at most 0.35x",
             "value": row["audit_over_padded"]["median"], "at_most": 0.35},
            {"name": f"fifty heads beside the rest, {dtype}", "bar": "at most 5 %",
             "value": row["heads_over_rest"], "at_most": 0.05},
            {"name": f"from cache with other thresholds, {dtype}", "bar": "at most 5 % of the first run",
             "value": row["cache_over_first"]["median"], "at_most": 0.05},
        ]  # fmt: skip
        ratios += [[f"{dtype}: {k}", *row[k].values()] for k in ("audit_over_padded", "cache_over_first")]
        t, s = row["training"], row["scoring"]
        dear += [[dtype, *line] for line in (
            ("audit: five folds, ten heads, three layers", row["audit_over_padded"]["median"]),
            ("one scoring pass of plaudit's own", s),
            ("ten LoRA members in five folds (50 trainings)", 50 * (SHARE * t["lora"] + s)),
            ("ten whole models in five folds (50 trainings)", 50 * (SHARE * t["full"] + s)),
            ("the paper's way: ten whole models, in-sample", 10 * (t["full"] + s)),
        )]  # fmt: skip
    if tldr := known.get("tldr"):
        bars += [
            {"name": "TL;DR, minilm-l6: audit against one scoring pass of plaudit's own", "bar": "at most 1.25x",
             "value": tldr["audit_over_scoring"]["median"], "at_most": 1.25},
            {"name": "TL;DR, minilm-l6: from cache with other thresholds", "bar": "at most 5 % of the first run",
             "value": tldr["cache_over_first"]["median"], "at_most": 0.05},
        ]  # fmt: skip
        ratios += [[f"TL;DR: {k}", *tldr[k].values()] for k in ("audit_over_scoring", "cache_over_first")]
    tables = [
        {"title": "Ratios in turn", "columns": ["what", "median", "low", "high"], "rows": ratios},
        {"title": "What a committee costs, in padded scoring passes", "columns": ["precision", "committee", "cost"],
         "rows": dear},
    ]  # fmt: skip
    if found := known.get("whole"):
        tables.append({
            "title": f"All {found['pairs']:,} HH training pairs with {found['planted']:.0%} of the labels flipped "
                     f"({found['audited']:,} audited), float32: who finds the flips",
            "columns": ["committee on one pass of the trunk", "AUROC", "agrees with the labels"],
            "rows": found["rows"],
        })  # fmt: skip
    return {
        "parts": known,
        "title": "What an audit costs", "question": "Fifty heads on one pass: cheaper than one ordinary scoring pass?",
        "what": ", ".join(f"{r['pairs']} HH training pairs in {d}, {r['repeats']} turns" for d, r in passes.items())
        + " (every k-th of helpful and harmless; smollm2-135m up to its last layer used, sequences of up to 512 tokens); "
        f"{'all TL;DR training pairs with minilm-l6; ' if known.get('tldr') else ''}{max([r['threads'] for r in passes.values()], default=0)} threads on {where['cores']} cores, torch {where['torch']}. "
        "Padded: plain transformers, batches of 8 pairs in data order, the same precision.",
        "bars": bars, "tables": tables, "notes": [
            *(f"{d}: members' votes correlate by {row['likeness']:.2f} on the sample" for d, row in passes.items()),
            f"Trainings are reckoned from {STEPS} steps of {BATCH} pairs of plaudit's own training, which is itself faster "
            f"than padded training: each of 50 learns from {SHARE:.0%} of the pairs (four folds of five; a bootstrap over "
            "prompts draws 63 %) and scores all of them once.",
        ],
    }  # fmt: skip


if __name__ == "__main__":
    main()
