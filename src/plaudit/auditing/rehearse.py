"""What an audit would take, without it: rows, tokens, disk, and the time of one small part of the pass."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from plaudit.auditing.audit import TRAINED, ready
from plaudit.auditing.checking import benchmark
from plaudit.auditing.material import docket, gather
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import names_of, spec_of, trunks_of
from plaudit.data.columns import renames
from plaudit.data.limits import Limits
from plaudit.models.features import compute
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import encode_all
from plaudit.models.trees.plan import cost
from plaudit.report import terminal
from plaudit.training.options import TrainOptions

TRIED = 24  # preferences that are really read
RANK = TrainOptions.model_fields["lora_r"].default


def rehearse(files: Sequence[str], options: AuditOptions, output_dir: str | None = None) -> dict[str, Any]:
    """Counts, and estimates from reading a few preferences; nothing is written."""
    ready(options, output_dir)
    benchmark(options.against)
    material = gather(
        files, layout=options.layout, columns=renames(options.columns), by=options.group_by,
        limits=Limits(line_bytes=options.line_bytes),
    )  # fmt: skip
    plan = []
    trunks = trunks_of(options)
    for k, (trunk, name) in enumerate(zip(trunks, names_of(options), strict=True)):
        encoded = encode_all(material.preferences, trunk.loaded.policy)
        refused = {i: e.refused for i, e in enumerate(encoded) if e.refused and material.preferences[i].comparisons()}
        kept = [encoded[int(i)] for i in docket(material, refused).place]
        spec = spec_of(trunk, name, options)
        trained = options.heads in TRAINED  # whole models: every layer is read, and no feature kept
        layers, pools = ((-1,), ("read",)) if trained else (spec.layers, spec.pools)
        tokens = sum(cost(e) for e in kept)
        sample = kept[:: max(len(kept) // TRIED, 1)][:TRIED]
        compute(trunk, sample[:2], layers, pools)
        start = monotonic()
        found = compute(trunk, sample, layers, pools)
        seconds = (monotonic() - start) / max(sum(cost(e) for e in sample), 1) * tokens
        responses = sum(len(e.responses) for e in kept)
        idle = trained and not options.influence and not options.fair_by
        features = 0 if idle else found.shape[-1] * len(spec.layers) * len(spec.pools)
        plan.append({
            "model": spec.model, "preferences": len(kept), "refused": len(refused), "tokens": tokens,
            "layers": list(layers), "disk_bytes": responses * features * 2, "seconds": seconds,
            "trainings": _trainings(trunk, options, len(range(k, options.members, len(trunks))), seconds),
        })  # fmt: skip
    counts = {"read": material.rows, "rejected": material.rejected, "preferences": len(material.preferences)}
    return {"rows": counts, "trunks": plan, "options": options.model_dump(mode="json")}


def _trainings(trunk: ModelScorer, options: AuditOptions, members: int, seconds: float) -> dict[str, Any] | None:
    """Models that would be trained on this trunk, their time and disk; None where members are heads on features.

    Forward and backward take three forward passes. A lesson is the other folds, of which a bootstrap draws 63 %; then
    every response is scored. Disk: in the cache, and again beside the audit; of LoRA the adapters alone.
    """
    if options.heads not in TRAINED:
        return None
    models = members * options.folds
    lesson = 0.63 * (1 - 1 / options.folds) * options.epochs
    weights = sum(p.numel() for p in trunk.loaded.model.parameters())
    if options.heads == "lora":
        layers = [m for m in trunk.loaded.model.base_model.modules() if type(m).__name__ in ("Linear", "Conv1D")]
        weights = sum(sum(m.weight.shape) for m in layers) * RANK
    return {"models": models, "seconds": models * (3 * lesson + 1) * seconds, "disk_bytes": 2 * models * weights * 4}


def show_plan(found: Mapping[str, Any]) -> None:
    """Print what `rehearse` found."""
    terminal.table("rows", ["", ""], list(found["rows"].items()))
    columns = ["trunk", "preferences", "refused", "tokens", "disk, MB", "minutes"]
    lines = [
        (t["model"], t["preferences"], t["refused"], t["tokens"], t["disk_bytes"] / 1e6, t["seconds"] / 60)
        for t in found["trunks"]
    ]
    trained = [(t["model"], t["trainings"]) for t in found["trunks"] if t["trainings"]]
    title = "one pass" if trained else "what the pass would take (heads come on top, a few seconds)"
    terminal.table(title, columns, lines)
    if trained:
        rows = [(name, t["models"], t["disk_bytes"] / 1e6, t["seconds"] / 60) for name, t in trained]
        terminal.table("what the members would take", ["trunk", "trainings", "disk, MB", "minutes, roughly"], rows)
