"""Every comparison of a file as a pair of its own, in plaudit's canonical layout, each with its ruling."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import msgspec

from plaudit.data.layouts import canonical
from plaudit.data.patch import Edit
from plaudit.data.patch_edits import Fate, Notes, Plan, counted, cut, matched, noted, number_of
from plaudit.data.patch_rows import COLUMNS, Ruling, asked, ruled, signed, tidy
from plaudit.data.patch_spans import Span
from plaudit.data.read import Row
from plaudit.data.write import pairs_of
from plaudit.errors import PlauditError
from plaudit.records import Preference, Record

_SEPARATOR = {"lines": b"\n", "array": b",\n", "values": b"\n"}


def expanded(plan: Plan, row: Row, what: str) -> tuple[list[dict[str, Any]], Notes]:
    """A row's comparisons as canonical rows, those that are dropped left out, and the ledger's lines about it."""
    plan.counts["rows"] += 1
    if not row.records:
        plan.counts["rejected"] += 1
        return [], ()
    place: dict[str, Any] = {"row": number_of(row), "where": f"{what} {number_of(row)}"}
    out: list[dict[str, Any]] = []
    done: list[tuple[str, ...]] = []
    lines: list[dict[str, Any]] = []
    for record in row.records:
        for pair, ruling in _pairs(plan, record):
            written, names = _written(plan, pair, ruling)
            out += written
            done.append(names)
            left = {}
            if ruling is not None and isinstance(pair, Preference):
                left = plan.settle(pair, ruling, names, "", place["where"])
            if names or left:
                lines.append({**place, **noted(names, ruling), **left})
    counted(plan.counts, done)
    return out, tuple(lines) or ({**place, "done": ["canonical"], "reason": "written in the canonical layout"},)


def _pairs(plan: Plan, record: Record) -> Iterator[tuple[Record, Ruling | None]]:
    found = record.comparisons() if isinstance(record, Preference) else []
    if not found:
        plan.left["holds no comparison"] += 1
    plan.counts["lists"] += len(found) > 1
    for pair, place in zip_longest(pairs_of(record), found):
        ruling = plan.rule(record, *place) if place is not None and isinstance(record, Preference) else None
        if place is not None:
            plan.counts["comparisons" if ruling else "unseen"] += 1
        yield pair, ruling


def _written(plan: Plan, pair: Record, ruling: Ruling | None) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The canonical row of a pair, none when it is dropped, and what was done to it."""
    if ruling is None or not isinstance(pair, Preference):
        return [canonical.write(pair)], ()
    if ruling.weight == 0:
        return [], ("drop",)
    now = ruled(pair, ruling, plan.manner.margin_sign)
    ranks = pair.ranks[::-1] if ruling.flipped and pair.ranks else pair.ranks
    plain = 0.5 if pair.is_tie else 1.0
    strength = pair.strength
    if strength is not None and ruling.flipped:
        strength = signed(strength, plan.manner.margin_sign)
    if plan.manner.strength == "always" or (plan.manner.strength == "auto" and plan.manner.fill and strength is None):
        strength = tidy(-ruling.facts["mean"] if ruling.flipped else ruling.facts["mean"])
    changed = replace(
        pair, ranks=ranks, target=None if now.target == plain else now.target, margin=now.margin, weight=now.weight,
        strength=strength,
    )  # fmt: skip
    plan.carried.update(name for name in COLUMNS if getattr(changed, name) != getattr(pair, name))
    return [canonical.write(changed)], asked(pair, ruling, plan.manner.margin_sign)


def edits(rows: Iterable[Row], places: Iterable[Span], form: str, plan: Plan) -> Iterator[Edit]:
    """Every row of a file as its comparisons; rejected rows and what stands between rows are copied.

    Raises:
        PlauditError: csv, which cannot hold messages.
    """
    if form == "csv":
        raise PlauditError("--as-pairs: csv cannot hold messages", advice="plaudit convert FILE --to canonical first")
    return cut(_fates(rows, places, form, plan))


def _fates(rows: Iterable[Row], places: Iterable[Span], form: str, plan: Plan) -> Iterator[Fate]:
    for place, row in matched(rows, places):
        if row is not None:
            found, notes = expanded(plan, row, "line" if form == "lines" else "record")
            new = row.raw if not notes else _joined(found, form, row) if found else None
            yield place, row.raw, new, notes


def _joined(found: list[dict[str, Any]], form: str, row: Row) -> bytes:
    """The new rows in the place of one; in an object of rows the later ones get keys of their own.

    On one line: where the first row ends with its line, the reader takes the object for lines.
    """
    texts = [msgspec.json.encode(values) for values in found]
    if form != "object":
        return _SEPARATOR[form].join(texts)
    names = [json.dumps(f"{number_of(row)}#{i}").encode() for i in range(2, len(texts) + 1)]
    return b", ".join([texts[0], *(name + b": " + text for name, text in zip(names, texts[1:]))])
