"""A saved committee as a scorer: heads on trunks, or scorers that were asked together."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import PlauditError
from plaudit.records import Preference, digest
from plaudit.report.terminal import note
from plaudit.rewards.stream import cut, refusals
from plaudit.scorer import Panel, Scorer
from plaudit.signals.aggregate import Combine, aggregate


class Together:
    """Several scorers as one `Panel`; their mean, each on the scale and about the center it had when it was audited.

    `seats`: what each scorer speaks for; those of one seat (the folds of a trained member) have one vote, their mean.
    `voices`: where a scorer is a committee, which member of it speaks; it is asked once for all of its members.
    """

    def __init__(
        self, members: list[Scorer], scales: list[float], seats: list[str] | None = None, combine: Combine = "mean",
        centers: list[float] | None = None, voices: list[int | None] | None = None,
    ) -> None:  # fmt: skip
        self.members, self.scales, self.combine = members, scales, combine
        self.voices = voices or [None] * len(members)
        self.centers = centers or [0.0] * len(members)
        self.seats = seats or [str(k) for k in range(len(members))]
        prints = [m.fingerprint for m in members]
        how = (scales, self.centers, *([voices] if voices else []))
        self.fingerprint = digest("together", combine, repr(how), *self.seats, *prints) if all(prints) else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Who has a vote, in their order [K]."""
        return tuple(dict.fromkeys(self.seats))

    def votes_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [K, N] per preference."""
        rows = list(preferences)
        each = self._each(rows)
        scaled = [
            [(scores - center) / scale for scores in own]
            for own, scale, center in zip(each, self.scales, self.centers, strict=True)
        ]
        seats: dict[str, list[int]] = {}
        for k, name in enumerate(self.seats):
            seats.setdefault(name, []).append(k)
        return [np.stack([np.mean([scaled[k][i] for k in own], 0) for own in seats.values()]) for i in range(len(rows))]

    def _each(self, rows: list[Preference]) -> list[list[NDArray]]:
        """What every member says of every preference [N], before scale and center."""
        said: dict[int, list[NDArray]] = {}  # by committees whose members speak one by one
        out = []
        for member, voice in zip(self.members, self.voices, strict=True):
            if voice is None:
                out.append(member.score_all(rows))
                continue
            if id(member) not in said:
                said[id(member)] = cast(Panel, member).votes_all(rows)
            out.append([votes[voice] for votes in said[id(member)]])
        return out

    @property
    def _distinct(self) -> list[Scorer]:
        return list({id(member): member for member in self.members}.values())

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [N] per preference."""
        return [aggregate(votes, self.combine) for votes in self.votes_all(preferences)]

    def refusals(self, preferences: Sequence[Preference]) -> list[str]:
        """Why a member cannot take each preference, '' where all can; empty when none of them ever refuses."""
        each = [found for member in self._distinct if (found := refusals(member, preferences))]
        return [next(filter(None, reasons), "") for reasons in zip(*each, strict=True)]

    def cut(self, preferences: Sequence[Preference]) -> list[bool]:
        """Whether a member has to cut each preference's prompt."""
        return [any(of) for of in zip(*(cut(member, preferences) for member in self._distinct), strict=True)]


def _say_unread(folder: Path, trunks: Sequence[dict[str, Any]], options: dict[str, Any]) -> None:
    """Heads were fitted on trunks read in one way: another precision or length that is asked for is not obeyed."""
    asked = {k: options.get(k) for k in ("dtype", "max_length") if options.get(k) not in (None, "float32")}
    for name, value in asked.items():
        if was := sorted({str(t[name]) for t in trunks} - {str(value)}):
            note(f"{folder}: its heads were fitted with {name} {', '.join(was)}, which stays; {value} is not used")


def panel(folder: Path, ask: Callable[..., Any], *, combine: Combine | None = None, **options: Any) -> Panel:
    """The committee in a folder; `ask` loads a scorer by name. `combine`: otherwise than it was saved.

    Raises:
        PlauditError: the folder is damaged, or a trunk or scorer is not the one it was made with.
    """
    from plaudit.models.committee import load_committee, read_document

    document = read_document(folder)
    if document["kind"] == "heads":
        _say_unread(folder, document["trunks"], options)
        kept = {k: options[k] for k in ("device", "budget", "trust_remote_code", "allow_pickles") if k in options}
        return load_committee(folder, combine=combine, **kept)
    entries = document["members"]
    asked = [entry["scorer"] for entry in entries]
    alone = [name if asked.count(name) == 1 else f"{name} ({k})" for k, name in enumerate(asked)]
    seats = [entry.get("member") or name for entry, name in zip(entries, alone, strict=True)]
    scales, centers = ([float(entry[name]) for entry in entries] for name in ("scale", "center"))
    worn = _adapted(folder, entries, options)
    voices = [entry.get("voice") for entry in entries]
    spoken = {entry["scorer"]: entry for entry, voice in zip(entries, voices, strict=True) if voice is not None}
    panels = {name: _asked(folder, entry, ask, options) for name, entry in spoken.items()}  # loaded once for all voices
    members = [
        worn[k] if k in worn
        else panels[entry["scorer"]] if voices[k] is not None
        else _asked(folder, entry, ask, options)
        for k, entry in enumerate(entries)
    ]  # fmt: skip
    return Together(
        members, scales, seats, combine or document.get("combine", "mean"), centers, voices if spoken else None
    )


def _asked(folder: Path, entry: dict[str, Any], ask: Callable[..., Any], options: dict[str, Any]) -> Scorer:
    """A member that is a scorer of its own; one outside the folder must be the one that voted."""
    inside = entry["scorer"].startswith("./")  # a checkpoint that lies in the committee's own folder
    handle = ask(folder / entry["scorer"] if inside else entry["scorer"], **options)
    if not inside and handle.fingerprint != entry["fingerprint"]:
        raise PlauditError(
            f"{folder}: {entry['scorer']} has changed since it voted", advice="run the audit again with it"
        )
    return handle.scorer


def _adapted(folder: Path, entries: Sequence[dict[str, Any]], options: dict[str, Any]) -> dict[int, Scorer]:
    """The members that are adapters, by their place; each base is loaded once and must be the one they learned on."""
    from plaudit.models.adapters import adapted
    from plaudit.models.committee import load_trunk

    kept = {k: options[k] for k in ("device", "trust_remote_code", "allow_pickles") if k in options}
    bases: dict[str, list[int]] = {}
    for k, entry in enumerate(entries):
        if "base" in entry:
            bases.setdefault(entry["base"]["model"], []).append(k)
    found: dict[int, Scorer] = {}
    for model, places in bases.items():
        base = entries[places[0]]["base"]
        own = load_trunk(model, dtype=base["dtype"], max_length=base["max_length"], **kept).fingerprint
        if own != base["fingerprint"]:
            raise PlauditError(
                f"{folder}: its adapters were trained on another version of {model}",
                advice="run the audit again with the model as it is now",
            )
        found |= zip(places, adapted([folder / entries[k]["scorer"] for k in places], **options), strict=True)
    return found
