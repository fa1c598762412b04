"""Scorers that are trained already as the committee: they vote as they are, in-sample on what they were trained on."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plaudit.auditing.material import Docket, Material, docket
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import Poll
from plaudit.models.committee import FILE, FORMAT
from plaudit.records import Preference
from plaudit.report.terminal import note, progress
from plaudit.rewards.load import Handle, load
from plaudit.rewards.stream import chunks, scored_chunk
from plaudit.signals.votes import Votes


def ask(material: Material, options: AuditOptions) -> tuple[Docket, Poll]:
    """The votes of the scorers named by the options; a preference that one of them cannot take is left out."""
    names = [name.strip() for name in options.scorer.split(",") if name.strip()]
    panel = [
        load(
            name, dtype=options.dtype, device=options.device, budget=options.batch_tokens, seed=options.seed,
            max_length=options.max_length, combine=None, **options.trust(),
        )
        for name in names
    ]  # fmt: skip
    note("scorers given by --scorer vote in-sample: on rows they were trained on they repeat the label they learned")
    judged = [i for i, p in enumerate(material.preferences) if p.comparisons()]
    place = {id(material.preferences[i]): i for i in judged}
    refused: dict[int, str] = {}
    scores = []
    for handle in panel:
        scores.append(_scores(handle, material, judged, place, refused))
    case = docket(material, refused)
    columns, scales, centers = [], [], []
    for own in scores:
        flat = np.concatenate([own[int(i)] for i in case.place])
        gap = flat[case.better] - flat[case.worse]
        centers.append(float(flat.mean()))
        scales.append(float(np.sqrt((gap**2).mean())) or 1.0)
        columns.append(gap / scales[-1])
    in_sample = np.full(len(case.group), -1)
    votes = Votes(np.stack(columns, 1).astype(np.float64), in_sample, case.label, tuple(names))
    entries = [
        {"scorer": name, "fingerprint": handle.fingerprint, "scale": scale, "center": center}
        for name, handle, scale, center in zip(names, panel, scales, centers, strict=True)
    ]
    return case, Poll(votes, partial(_write, entries=entries))


def _scores(handle: Handle, material: Material, judged: list[int], place: dict[int, int], refused: dict[int, str]):
    """{place in the material: scores [N]} by one scorer."""
    out = {}

    def leave(p: Preference, why: str) -> None:
        refused.setdefault(place[id(p)], why)

    with progress(f"scoring with {handle.name}", len(judged)) as bar:
        for chunk in chunks(material.preferences[i] for i in judged):
            for p, values in scored_chunk(handle, chunk, leave):
                out[place[id(p)]] = values
            bar.advance(len(chunk))
    return out


def _write(folder: Path, *, entries: list[dict[str, Any]]) -> None:
    """A committee of scorers is a list of their names; their weights stay where they are."""
    document = {"format": FORMAT, "kind": "scorers", "members": entries}
    (folder / FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")
