"""What an audit costs: fifty heads on one tree pass, against one padded scoring pass and against ten trainings.

    PLAUDIT_DATA=... python benchmarks/audit_speed.py [--pairs 320] [--dtype float32] [--repeats 3]

On a sample of HH training pairs, taken in turn: the whole audit with an empty cache (reading, checks, trunk up to the
last layer used, heads, report), the same from its cache with other thresholds, and plain transformers scoring the same
pairs once in padded batches of 8 pairs in data order. On TL;DR with minilm-l6: the audit against one scoring pass of
plaudit's own. Models are loaded before the clock starts on every side.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import alternate, data_folder, machine, ratio, write
from plaudit.auditing import audit as room
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import trunks_of
from plaudit.models.backbone import load_backbone
from plaudit.models.embedded import path as built
from plaudit.models.score import ModelScorer, scores
from plaudit.models.tokens import encode_all
from plaudit.records import Preference
from score_speed import Padded

HH = ("hh/helpful-base/train.jsonl.gz", "hh/harmless-base/train.jsonl.gz")


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


def against_padded(pairs: int, dtype: str, repeats: int, extra: dict[str, Any]) -> dict[str, Any]:
    """smollm2-135m on HH: audit, audit from cache, one padded pass."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = sample(HH, pairs, folder)
        name = str(built("smollm2-135m"))
        timed = Timed({"model": "smollm2-135m", "dtype": dtype, "max_length": 512, **extra}, folder)
        encoded = encode_all(preferences([file]), timed.trunks[0].loaded.policy)
        padded = Padded(name, getattr(__import__("torch"), dtype))
        padded.score(encoded[:4], 4, False)
        turns = alternate(
            {
                "audit": lambda: timed.fresh(file), "from cache": lambda: timed.again(file),
                "padded": lambda: padded.score(encoded, 8, False),
            },
            repeats=repeats,
        )  # fmt: skip
        heads = [h / (a - h) for h, a in zip(timed.heads, turns["audit"], strict=True)]
        summary = json.loads((folder / "audit-1/audit.json").read_text(encoding="utf-8"))
        return {
            "pairs": len(encoded), "dtype": dtype, "audit_over_padded": ratio(turns["audit"], turns["padded"]),
            "cache_over_first": ratio(turns["from cache"], turns["audit"]),
            "heads_over_rest": statistics.median(heads), "accuracy": summary["accuracy"],
            "likeness": summary["likeness"]["mean"], "options": extra,
        }  # fmt: skip


def against_scoring(repeats: int) -> dict[str, Any]:
    """minilm-l6 on all TL;DR training pairs: the whole audit against one scoring pass of our own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = data_folder() / "tldr/train.parquet"
        timed = Timed({"model": "minilm-l6", "max_length": 512}, folder)
        scorer = ModelScorer(load_backbone("minilm-l6", max_length=512), dtype="float32", budget=4096)

        def score() -> None:
            encoded = encode_all(preferences([file]), scorer.loaded.policy)
            scores(scorer.reader, encoded, budget=scorer.budget)

        turns = alternate({"audit": lambda: timed.fresh(file), "scoring": score,
                           "from cache": lambda: timed.again(file)}, repeats=repeats)  # fmt: skip
        return {
            "pairs": len(preferences([file])), "audit_over_scoring": ratio(turns["audit"], turns["scoring"]),
            "cache_over_first": ratio(turns["from cache"], turns["audit"]),
            "heads_over_rest": statistics.median(
                h / (a - h) for h, a in zip(timed.heads, turns["audit"], strict=True)),
        }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--pairs", type=int, default=320)
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--dtypes", default="float32,bfloat16")
    args = ask.parse_args()
    where = machine()
    found = {d: against_padded(args.pairs, d, args.repeats, {}) for d in args.dtypes.split(",")}
    tldr = against_scoring(args.repeats)
    bars = []
    for dtype, row in found.items():
        bars += [
            {"name": f"audit against one padded scoring pass, {dtype}", "bar": "at most 0.35x",
             "value": row["audit_over_padded"]["median"], "at_most": 0.35},
            {"name": f"fifty heads beside the rest, {dtype}", "bar": "at most 5 %",
             "value": row["heads_over_rest"], "at_most": 0.05},
            {"name": f"from cache with other thresholds, {dtype}", "bar": "at most 5 % of the first run",
             "value": row["cache_over_first"]["median"], "at_most": 0.05},
        ]  # fmt: skip
    bars.append({"name": "TL;DR, minilm-l6: audit against one scoring pass of plaudit's own", "bar": "at most 1.25x",
                 "value": tldr["audit_over_scoring"]["median"], "at_most": 1.25})  # fmt: skip
    tables = [{
        "title": "Ratios, median (low to high)", "columns": ["what", "median", "low", "high"],
        "rows": [[f"{d}: {k}", *row[k].values()] for d, row in found.items()
                 for k in ("audit_over_padded", "cache_over_first")]
        + [[f"TL;DR: {k}", *tldr[k].values()] for k in ("audit_over_scoring", "cache_over_first")],
    }]  # fmt: skip
    write("audit_speed", {
        "title": "What an audit costs", "question": "Fifty heads on one pass: cheaper than one ordinary scoring pass?",
        "what": f"{args.pairs} HH training pairs (every k-th of helpful and harmless), smollm2-135m up to its last layer "
        f"used, prompts and responses of up to 512 tokens; all 7,415 TL;DR training pairs with minilm-l6; in turn, "
        f"median of {args.repeats}; {where['threads']} threads on {where['cores']} cores, torch {where['torch']}.",
        "bars": bars, "tables": tables, "notes": [
            f"{d}: the committee agrees with {row['accuracy']['score']:.3f} of the sample's labels; members' votes "
            f"correlate by {row['likeness']:.2f}" for d, row in found.items()
        ],
    })  # fmt: skip


if __name__ == "__main__":
    main()
