"""Scorers that are trained already as the committee: they vote as they are, in-sample on what they were trained on.

A given committee is its members: each has a vote, as it would have in the audit that made it.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.material import Docket, Material, docket
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.vote import Poll
from plaudit.models.committee import FILE, FORMAT
from plaudit.records import Preference
from plaudit.report.terminal import note, progress
from plaudit.rewards.load import Handle, load
from plaudit.rewards.stream import chunks, judged_chunk, scored_chunk
from plaudit.scorer import Panel
from plaudit.signals.votes import Votes


@dataclass(frozen=True)
class Member:
    """One who votes: a given scorer, or (`voice`) one member of a given committee; `scores` [N] of every response."""

    name: str
    handle: Handle
    voice: int | None
    scores: dict[int, NDArray]

    def entry(self, scale: float, center: float) -> dict[str, Any]:
        """What the committee's list says of it."""
        own = {} if self.voice is None else {"voice": self.voice, "member": self.name}
        name = self.handle.name.removeprefix("./")  # which in that list says: in the committee's own folder
        known = {"scorer": name, "fingerprint": self.handle.fingerprint}
        return known | own | {"scale": scale, "center": center}


def ask(material: Material, options: AuditOptions) -> tuple[Docket, Poll]:
    """The votes of the scorers named by the options, of a committee those of its members; a preference that one of
    them cannot take is left out.
    """
    handles = [
        load(
            name, dtype=options.dtype, device=options.device, budget=options.batch_tokens, seed=options.seed,
            max_length=options.max_length, combine=None, **options.trust(),
        )
        for name in asked(options)
    ]  # fmt: skip
    note("scorers given by --scorer vote in-sample: on rows they were trained on they repeat the label they learned")
    judged = [i for i, p in enumerate(material.preferences) if p.comparisons()]
    place = {id(material.preferences[i]): i for i in judged}
    refused: dict[int, str] = {}
    members = _apart([m for handle in handles for m in _members(handle, material, judged, place, refused)])
    case = docket(material, refused)
    columns, entries = [], []
    for member in members:
        flat = np.concatenate([member.scores[int(i)] for i in case.place])
        gap = flat[case.better] - flat[case.worse]
        scale = float(np.sqrt((gap**2).mean())) or 1.0
        columns.append(gap / scale)
        entries.append(member.entry(scale, float(flat.mean())))
    in_sample = np.full(len(case.group), -1)
    margins = np.stack(columns, 1).astype(np.float64)
    votes = Votes(margins, in_sample, case.label, tuple(member.name for member in members))
    return case, Poll(votes, partial(_write, entries=entries))


def asked(options: AuditOptions) -> list[str]:
    """The scorers named by `--scorer`."""
    return [name.strip() for name in options.scorer.split(",") if name.strip()]


def _members(
    handle: Handle, material: Material, judged: list[int], place: dict[int, int], refused: dict[int, str]
) -> list[Member]:
    """Who speaks for one scorer, with their scores by place in the material; a committee's members as it names them."""
    said: dict[int, NDArray] = {}  # [K, N]
    several = hasattr(handle.scorer, "votes_all")

    def leave(p: Preference, why: str) -> None:
        refused.setdefault(place[id(p)], why)

    with progress(f"scoring with {handle.name}", len(judged)) as bar:
        for chunk in chunks(material.preferences[i] for i in judged):
            if several:
                found = judged_chunk(cast(Panel, handle.scorer), chunk, leave)
                said |= {place[id(p)]: opinion.members for p, opinion in found}
            else:
                said |= {place[id(p)]: scores[None] for p, scores in scored_chunk(handle, chunk, leave)}
            bar.advance(len(chunk))
    if not several:
        return [Member(handle.name, handle, None, {i: scores[0] for i, scores in said.items()})]
    count = len(next(iter(said.values()), ()))
    names = getattr(handle.scorer, "names", [f"{handle.name}, member {k}" for k in range(count)])
    return [Member(names[k], handle, k, {i: votes[k] for i, votes in said.items()}) for k in range(count)]


def _apart(members: list[Member]) -> list[Member]:
    """Members of one name, of two committees, are told apart by who they are members of, or by their number."""

    def unlike(name: Callable[[int, Member], str]) -> list[Member]:
        often = Counter(m.name for m in members)
        clash = lambda m: m.voice is not None and often[m.name] > 1  # noqa: E731
        return [replace(m, name=name(k, m)) if clash(m) else m for k, m in enumerate(members)]

    members = unlike(lambda _, m: f"{m.handle.name}: {m.name}")
    return unlike(lambda k, m: f"{m.name} ({k})")


def _write(folder: Path, *, entries: list[dict[str, Any]]) -> None:
    """A committee of scorers is a list of their names; their weights stay where they are."""
    document = {"format": FORMAT, "kind": "scorers", "members": entries}
    (folder / FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")
