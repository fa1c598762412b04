"""Members that are trained models: LoRA and head, or every weight, one training a fold and member.

For those who pay: a committee of ten with five folds is fifty trainings. Each runs through `training.loop.train`, for
one epoch unless more are asked for, on the other folds (a bootstrap over prompt groups as weights), and votes on the
fold it never saw.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing import cache
from plaudit.auditing.material import Docket
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import Poll, names_of
from plaudit.data.split import folds
from plaudit.data.write import write
from plaudit.folders import is_sealed, publish
from plaudit.models.backbone import resolve
from plaudit.models.checkpoint import ADAPTER
from plaudit.models.committee import FILE, FORMAT
from plaudit.models.foreign import CONFIG, adapter_base
from plaudit.models.score import ModelScorer, load_scorer
from plaudit.records import Preference, digest
from plaudit.report.terminal import progress
from plaudit.seeds import seed_for
from plaudit.signals.votes import Votes
from plaudit.training.bags import bootstrap
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions

VERSION = 3  # raised whenever the same input could give other votes
MODEL, SCORES = "model", "scores.npy"


def poll_trained(docket: Docket, trunks: Sequence[ModelScorer], options: AuditOptions) -> Poll:
    """Votes of trained members, each on the folds it never saw; finished members are kept in the cache.

    `trunks`: the models that training starts from, as `--model` names them; members take them in turns.
    """
    models = names_of(options)
    fold = folds(docket.group, options.folds, options.seed)
    store = cache.folder_of(options.cache)
    kinds = np.unique(fold)
    columns, names, places = [], [], []
    bases: list[dict[str, Any]] = []
    with progress("training members", options.members * len(kinds)) as bar:
        for k in range(options.members):
            seed = seed_for(options.seed, "member", k) % 2**31
            model, start = models[k % len(models)], trunks[k % len(models)].fingerprint
            gap = np.zeros(len(fold))
            own = []
            for f in kinds:
                place = _member(docket, fold, int(f), model, start, seed, options, store)
                rows = fold == f
                scores = np.load(place / SCORES)
                gap[rows] = scores[docket.better[rows]] - scores[docket.worse[rows]]
                size = float(np.sqrt((gap[rows] ** 2).mean())) or 1.0
                gap[rows] /= size
                own.append((place, size))
                bar.advance(1)
            columns.append(gap)
            names.append(f"{Path(model).name} {options.heads}, seed {k}")
            places.append(own)
            spec = {"model": model, "fingerprint": start, "dtype": options.dtype, "max_length": options.max_length}
            bases.append(spec if _as_adapters(options, model) else {})
    votes = Votes(np.stack(columns, 1), fold, docket.label, tuple(names))
    return Poll(votes, partial(_copy, names=names, places=places, bases=bases))


def _member(
    docket: Docket, fold: NDArray, f: int, model: str, start: str, seed: int, options: AuditOptions, store: Path
) -> Path:  # fmt: skip
    """The sealed cache folder of one member and fold: its model, and its scores of every response."""
    kept = _lesson(docket, fold, f, seed)
    how = (
        VERSION, start, options.heads, options.dtype, options.max_length, seed, options.learning_rate, options.epochs
    )  # fmt: skip
    content = [p.content + repr((p.ranks, p.weight)) for p in kept]
    place = store / "members" / digest(repr(how), *content, *(p.content for p in docket.preferences))
    if is_sealed(place):
        cache.use(place)
        return place
    tuning: Literal["lora", "full"] = "lora" if options.heads == "lora" else "full"
    with TemporaryDirectory(prefix="plaudit-member-") as scratch, publish(place, replace=True) as part:
        file = Path(scratch) / "lesson.jsonl"
        write(kept, "canonical", file)
        lesson = TrainOptions(
            tuning=tuning, learning_rate=options.learning_rate, epochs=options.epochs, held_out=0.0, seed=seed,
            dtype=options.dtype, max_length=options.max_length,
            batch_tokens=options.batch_tokens, device=options.device, **options.trust(),
        )  # fmt: skip
        train([str(file)], model=model, output_dir=str(Path(scratch) / "run"), options=lesson, layout="canonical")
        final = Path(scratch) / "run/final"
        alone = shutil.ignore_patterns("seal.json")  # it is sealed as a part of this entry
        shutil.copytree(final / ADAPTER if _as_adapters(options, model) else final, part / MODEL, ignore=alone)
        scorer = load_scorer(
            part / MODEL, dtype=options.dtype, device=options.device, budget=options.batch_tokens,
            max_length=options.max_length, **options.trust(),
        )  # fmt: skip
        np.save(part / SCORES, np.concatenate(scorer.score_all(docket.preferences)).astype(np.float64))
    return place


def _as_adapters(options: AuditOptions, model: str) -> bool:
    """Whether members are kept as adapters, which name their base; one whose base is adapters too is kept whole."""
    return options.heads == "lora" and adapter_base(resolve(model)[0])[1] is None


def _lesson(docket: Docket, fold: NDArray, f: int, seed: int) -> list[Preference]:
    """What a member learns from: the other folds, each prompt group as often as its bootstrap drew it."""
    group = np.zeros(len(docket.preferences), np.uint64)
    away = np.zeros(len(docket.preferences), bool)
    group[docket.comparisons.preference] = docket.group
    away[docket.comparisons.preference] = fold == f
    counts = bootstrap(group, seed)
    return [
        replace(p, target=None, margin=0.0, weight=float(n))
        for p, n, out in zip(docket.preferences, counts, away, strict=True)
        if n and not out
    ]


def _copy(
    folder: Path, *, names: Sequence[str], places: Sequence[Sequence[tuple[Path, float]]],
    bases: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    """Every member's models beside their list, each with the size of its differences in the fold it voted on.

    Of LoRA members the adapters alone, and which `base` they need.
    """
    entries: list[dict[str, Any]] = []
    for k, own in enumerate(places):
        for f, (place, size) in enumerate(own):
            name = f"member-{k}-fold-{f}"
            shutil.copytree(place / MODEL, folder / name)
            if bases[k]:
                _rename_base(folder / name / CONFIG, bases[k]["model"])
            center = float(np.load(place / SCORES).mean())
            entry = {"scorer": f"./{name}", "member": names[k], "scale": size, "center": center}
            entries.append(entry | ({"base": bases[k]} if bases[k] else {}))
    document = {"format": FORMAT, "kind": "scorers", "members": entries}
    (folder / FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")


def _rename_base(path: Path, model: str) -> None:
    """The base as this audit names it; a member from the cache may know it by another name."""
    document = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": model}
    path.write_text(json.dumps(document, indent=2, sort_keys=True), encoding="utf-8")
