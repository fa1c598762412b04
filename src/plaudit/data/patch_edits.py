"""From the rows of a file and the rulings on their comparisons to edits of its bytes, one a row at most."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from plaudit import catalog
from plaudit.data.columns import rename
from plaudit.data.framing import delimiter
from plaudit.data.patch import Edit, trimmed
from plaudit.data.patch_rows import (
    COLUMNS,
    LIST,
    SEVERAL,
    TIE,
    Change,
    Left,
    Manner,
    Ruling,
    asked,
    revised,
    signed,
)
from plaudit.data.patch_spans import Span
from plaudit.data.patch_text import edited_csv, edited_json
from plaudit.data.read import ROOM, Row
from plaudit.errors import DataError
from plaudit.records import Preference, Record

Rule = Callable[[Preference, int, int], Ruling | None]
Notes = tuple[dict[str, Any], ...]
_KINDS = ("flip", "tie", "soften", "margin", "weight", "drop", "columns")


@dataclass
class Plan:
    """How a file is to be changed: the ruling on each comparison, how columns are written, the file's own names.

    The rest is filled on the way. `counts`: what was done. `left`: rows or comparisons left as they are, by reason.
    `unapplied`: what was ruled and not done, by name and reason; `lost`: a person's decisions among it. `carried`: the
    columns that some row was given.
    """

    rule: Rule
    manner: Manner
    table: Mapping[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unapplied: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: list[dict[str, Any]] = field(default_factory=list)
    carried: set[str] = field(default_factory=set)
    layout: str = ""

    @property
    def columns(self) -> list[str]:
        """The columns that every pair of the file is given."""
        strength = self.manner.strength == "always" or (self.manner.strength == "auto" and bool(self.manner.fill))
        return [name for name in COLUMNS if name in self.manner.fill or (name == "strength" and strength)]

    def file_name(self, ours: str) -> str:
        """What the file calls one of our columns."""
        return next((theirs for theirs, name in self.table.items() if name == ours), ours)

    def settle(
        self, record: Preference, ruling: Ruling, done: Collection[str], why: str, where: str, *, alone: bool = True
    ) -> dict[str, Any]:
        """Count what a ruling asked for; for the ledger what was not done of it, and why.

        `alone`: the row holds nothing else; else a graded strength of the row cannot turn with one of its labels.
        """
        sign, decision = self.manner.margin_sign, ruling.facts.get("decision", "")
        tied = ruling.label == 0.5 and decision == "flip"
        left = ["flip"] if tied else [name for name in asked(record, ruling, sign) if name not in done]
        why = TIE if tied else why
        if decision not in ("", "keep"):
            self.counts["decisions"] += 1
            self.counts["decisions_applied"] += not left
            if left:
                place = {name: ruling.facts[name] for name in ("id", "better", "worse")}
                self.lost.append({**place, "decision": decision, "where": where, "reason": why})
        grade = record.strength or 0.0
        if not alone and "flip" in done and signed(grade, sign) != grade:
            left.append("strength")
        self.unapplied.update((name, why) for name in left)
        return {"left": left, "left_because": why} if left else {}


def number_of(row: Row) -> int:
    """The row's number: its line, or its record."""
    return int(row.where.rsplit(":", 1)[1])


def decided(plan: Plan, row: Row, values: dict[str, Any], what: str) -> tuple[Change | None, Notes]:
    """What becomes of a row with these values, under the file's own names, and the ledger's lines about it.

    None: it stays as it is. Everything is counted.
    """
    plan.counts["rows"] += 1
    plan.layout = row.layout or plan.layout
    if not row.records:
        plan.counts["rejected"] += 1
        return None, ()
    rulings = [_rulings(plan, record) for record in row.records]
    found = _revised(plan, row, values, [next(iter(some), None) for some in rulings])
    why = LIST if any(map(_listed, row.records)) else SEVERAL
    if isinstance(found, Left):
        why = found.reason
        plan.left[why] += 1
    change = found if isinstance(found, Change) else None
    if change is not None:
        counted(plan.counts, change.done)
    return change, notes(plan, row, what, change, rulings, why)


def _listed(record: Record) -> bool:
    return isinstance(record, Preference) and len(record.responses) > 2


def _rulings(plan: Plan, record: Record) -> list[Ruling | None]:
    """One for each comparison of a record; a longer list is counted, since it is not changed."""
    found = record.comparisons() if isinstance(record, Preference) else []
    if not isinstance(record, Preference) or not found:
        plan.left["holds no comparison"] += 1
        return []
    rulings = [plan.rule(record, *sides) for sides in found]
    if _listed(record):
        plan.counts["lists"] += 1
        plan.left[LIST] += 1
    else:
        plan.counts["comparisons" if rulings[0] else "unseen"] += 1
    return rulings


def counted(counts: Counter[str], done: Iterable[Sequence[str]]) -> None:
    """Add what was done to comparisons; a row counts once as changed."""
    counts["changed"] += 1
    for names in done:
        counts.update(name for name in names if name in _KINDS)


@cache
def _part(layout: str) -> ModuleType:
    return catalog.load(ROOM, layout)  # looks into the folder each time: half of the time of a repair


def _revised(plan: Plan, row: Row, values: dict[str, Any], rulings: Sequence[Ruling | None]) -> Change | Left | None:
    part = _part(row.layout)
    ours = rename(values, plan.table) if plan.table else values
    assert not isinstance(ours, str)  # the reader has renamed this row already
    found = revised(part, ours, row.records, rulings, plan.manner, whole=row.reason is None)
    if not isinstance(found, Change) or found.after is None:
        return found
    plan.carried.update(name for name in COLUMNS if found.after.get(name) != ours.get(name))
    if not plan.table:
        return found
    return Change(_under_file_names(plan, values, found.after), found.done)


def _under_file_names(plan: Plan, values: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The values after a change, named as in the file; a column that --columns put out of the way stays."""
    hidden = set(plan.table.values()) - set(plan.table)
    out: dict[str, Any] = {}
    for theirs, value in values.items():
        if theirs in hidden:
            out[theirs] = value
        elif (ours := plan.table.get(theirs, theirs)) in after:
            out[theirs] = after[ours]
    return out | {plan.file_name(ours): value for ours, value in after.items() if plan.file_name(ours) not in values}


def notes(
    plan: Plan, row: Row, what: str, change: Change | None, rulings: Sequence[Sequence[Ruling | None]], why: str
) -> Notes:
    """The ledger's lines about one row: a line for each comparison that something was, or should have been, done to."""
    place: dict[str, Any] = {"row": number_of(row), "where": f"{what} {number_of(row)}"}
    alone = len(row.records) == 1 and row.reason is None
    lines = []
    for i, (record, found) in enumerate(zip(row.records, rulings, strict=True)):
        names = change.done[i] if change is not None else ()
        for ruling in found:
            left: dict[str, Any] = {}  # what was ruled and not done
            if ruling is not None and isinstance(record, Preference):
                left = plan.settle(record, ruling, names, why, place["where"], alone=alone)
            if names or left:
                lines.append({**place, **noted(names, ruling), **left})
    return tuple(lines) or ((place,) if change is not None else ())


def noted(names: Sequence[str], ruling: Ruling | None) -> dict[str, Any]:
    """What was done to one comparison and why, with its signals; no names: what was ruled and not done."""
    if ruling is None:
        return {"done": list(names), "reason": "not in the audit; written with the columns of the other rows"}
    facts = dict(ruling.facts)
    key = {name: facts.pop(name) for name in ("id", "better", "worse")}
    return {**key, "done": list(names), "reason": reason(names, ruling), "signals": facts}


def reason(names: Sequence[str], ruling: Ruling) -> str:
    """Why a comparison was changed, in words.

    >>> facts = {"p_disagree": 0.9, "mean": -1.0, "std": 0.5, "verdict": "wrong"}
    >>> reason(["flip"], Ruling(0.0, None, 1.0, 1.0, ("flip:above=0.65",), facts))
    'flip:above=0.65: the committee puts the other side first (chance of disagreement 0.900, mean -1.000 ± 0.500)'
    """
    if names == ["columns"] or names == ("columns",):
        return "nothing was decided; written with the columns of the other rows"
    facts = ruling.facts
    if facts.get("decision"):
        return f"a person decided: {facts['decision']}"
    side = "puts the other side first" if facts["mean"] < 0 else "puts the same side first"
    signals = f"chance of disagreement {facts['p_disagree']:.3f}, mean {facts['mean']:.3f} ± {facts['std']:.3f}"
    if "p_wrong" in facts:
        signals = f"chance that the label is wrong {facts['p_wrong']:.3f}, {signals}"
    return f"{', '.join(ruling.why) or 'columns'}: the committee {side} ({signals})"


Fate = tuple[Span, bytes, bytes | None, Notes]  # a row: where, its bytes, its new bytes (None: it goes), the ledger


def edits(rows: Iterable[Row], places: Iterable[Span], form: str, plan: Plan) -> Iterator[Edit]:
    """Every edit of a file in order. `rows` are what the reader makes of the file, `places` where they lie."""
    return cut(_fates(rows, places, form, plan))


def _fates(rows: Iterable[Row], places: Iterable[Span], form: str, plan: Plan) -> Iterator[Fate]:
    what = "line" if form == "lines" else "record"
    table = _Cells(plan) if form == "csv" else None
    for place, row in matched(rows, places):
        if row is None:
            if table is not None and place.number == 0:
                yield place, place.raw, *table.header(place.raw)
            continue
        values = msgspec.json.decode(row.raw) if row.records else {}
        change, lines = decided(plan, row, values, what)
        if change is not None and change.after is None:
            yield place, row.raw, None, lines
        elif table is not None and row.records:
            after = values if change is None or change.after is None else change.after
            yield place, place.raw, *table.record(place, values, after, lines)
        elif change is None or change.after is None:
            yield place, row.raw, row.raw, lines
        else:
            yield place, row.raw, edited_json(row.raw, values, change.after), lines


def matched(rows: Iterable[Row], places: Iterable[Span]) -> Iterator[tuple[Span, Row | None]]:
    """Each place with the row that the reader found there; None for a blank line or a header."""
    reader = iter(rows)
    row = next(reader, None)
    for place in places:
        if row is None or number_of(row) != place.number:
            yield place, None
        else:
            yield place, row
            row = next(reader, None)


def cut(fates: Iterable[Fate]) -> Iterator[Edit]:
    """Edits for rows that change or go. An element that goes from an array takes the comma beside it along."""
    gone: list[tuple[Span, Notes]] = []
    last: Span | None = None
    for place, old, new, lines in fates:
        if new is None and place.stop >= 0:
            yield Edit(place.start, place.stop, b"", lines)
        elif new is None:
            gone.append((place, lines))
        else:
            ends = [*(at.start for at, _ in gone[1:]), place.start]
            yield from (Edit(at.start, end, b"", note) for (at, note), end in zip(gone, ends))
            gone, last = [], place
            if new != old or lines:  # of a row that stays as it is, too, the ledger tells what was not done
                yield trimmed(place.at, old, new, lines)
    for before, (at, note) in zip([last, *(at for at, _ in gone)], gone):
        yield Edit(before.end if before else at.start, at.end, b"", note)


class _Cells:
    """A csv file's header, and the columns that it gains."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names: list[str] = []
        self._mark = ","
        self._added: list[str] = []

    def header(self, raw: bytes) -> tuple[bytes, Notes]:
        """The header's new bytes, and the ledger's line about it."""
        text = raw.decode("utf-8")
        self._mark = delimiter(raw)
        self._names = next(csv.reader([text], delimiter=self._mark, strict=True))
        self._added = [name for name in map(self._plan.file_name, self._plan.columns) if name not in self._names]
        line = text.rstrip("\r")
        new = line + "".join(self._mark + name for name in self._added) + text[len(line) :]
        note = {"row": 0, "where": "the header", "done": ["columns"], "reason": "columns added"}
        return new.encode(), (note,) if self._added else ()

    def record(self, place: Span, values: dict, after: dict, lines: Notes) -> tuple[bytes, Notes]:
        """A record with its new cells, empty ones where nothing was decided: every record has as many as the header."""
        try:
            new = edited_csv(place.raw, self._names, self._mark, values, after, self._added)
        except ValueError as error:
            raise DataError(f"record {place.number}", str(error)) from error
        note = {"row": place.number, "where": f"record {place.number}", "done": ["columns"], "reason": "empty cells"}
        return new, lines or ((note,) if new != place.raw else ())
