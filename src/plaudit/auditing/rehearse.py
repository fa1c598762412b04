"""What an audit would take, without it: rows, tokens, disk, and the time of one small part of the pass."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from plaudit.auditing.audit import ready
from plaudit.auditing.checking import benchmark
from plaudit.auditing.material import docket, gather
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import names_of, spec_of, trunks_of
from plaudit.data.columns import renames
from plaudit.data.limits import Limits
from plaudit.models.features import compute
from plaudit.models.tokens import encode_all
from plaudit.models.trees.plan import cost
from plaudit.report import terminal

TRIED = 24  # preferences that are really read


def rehearse(files: Sequence[str], options: AuditOptions) -> dict[str, Any]:
    """Counts, and estimates from reading a few preferences; nothing is written."""
    ready(options, None)
    benchmark(options.against)
    material = gather(
        files, layout=options.layout, columns=renames(options.columns), by=options.group_by,
        limits=Limits(line_bytes=options.line_bytes),
    )  # fmt: skip
    plan = []
    for trunk, name in zip(trunks_of(options), names_of(options), strict=True):
        encoded = encode_all(material.preferences, trunk.loaded.policy)
        refused = {i: e.refused for i, e in enumerate(encoded) if e.refused and material.preferences[i].comparisons()}
        kept = [encoded[int(i)] for i in docket(material, refused).place]
        spec = spec_of(trunk, name, options)
        tokens = sum(cost(e) for e in kept)
        sample = kept[:: max(len(kept) // TRIED, 1)][:TRIED]
        compute(trunk, sample[:2], spec.layers, spec.pools)
        start = monotonic()
        found = compute(trunk, sample, spec.layers, spec.pools)
        seconds = (monotonic() - start) / max(sum(cost(e) for e in sample), 1) * tokens
        responses = sum(len(e.responses) for e in kept)
        plan.append({
            "model": spec.model, "preferences": len(kept), "refused": len(refused), "tokens": tokens,
            "layers": list(spec.layers), "disk_bytes": responses * found[0].size * 2, "seconds": seconds,
        })  # fmt: skip
    counts = {"read": material.rows, "rejected": material.rejected, "preferences": len(material.preferences)}
    return {"rows": counts, "trunks": plan, "options": options.model_dump(mode="json")}


def show_plan(found: Mapping[str, Any]) -> None:
    """Print what `rehearse` found."""
    terminal.table("rows", ["", ""], list(found["rows"].items()))
    columns = ["trunk", "preferences", "refused", "tokens", "disk, MB", "minutes"]
    lines = [
        (t["model"], t["preferences"], t["refused"], t["tokens"], t["disk_bytes"] / 1e6, t["seconds"] / 60)
        for t in found["trunks"]
    ]
    terminal.table("what the pass would take (heads come on top, a few seconds)", columns, lines)
