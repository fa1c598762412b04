"""What every layout passes, ours or one from outside: call `check(name, part, rows)` with rows of that layout.

>>> from plaudit.data.layouts import trl
>>> check("trl", trl, [{"prompt": "2+2?", "chosen": "4", "rejected": "5"}])
1
"""

from copy import deepcopy
from dataclasses import replace
from types import ModuleType
from typing import Any

from plaudit.data import layouts
from plaudit.data.layouts._fields import Row
from plaudit.data.layouts._pairs import PAIR_FIELDS
from plaudit.errors import DataError
from plaudit.records import Preference, Record, Steps

WHERE = "fixture.jsonl:1"


def check(name: str, part: ModuleType, rows: list[Row]) -> int:
    """Run every check on every row; returns the number of records they gave. Raises AssertionError with the row."""
    assert (part.__doc__ or "").strip(), f"{name}: no docstring, so no help"
    seen = 0
    for row in rows:
        claims(name, part, row)
        records = parses(part, row)
        seen += len(records)
        for record in records:
            if hasattr(part, "write"):
                survives_writing(part, record)
            if hasattr(part, "swap") and isinstance(record, Preference) and len(record.responses) == 2:
                swaps(part, row, record)
    refuses_rubbish(part, rows[0])
    return seen


def claims(name: str, part: ModuleType, row: Row) -> None:
    """The layout, and no other before it, recognises its row; or the layout that it says reads it."""
    wanted = getattr(part, "DETECTED_AS", name)
    assert layouts.claim(row) == wanted, f"claimed by {layouts.claim(row)}, not {wanted}: {row}"
    for other in ({}, {"a": 1}, dict.fromkeys(row)):
        assert part.recognises(other) in (True, False)


def parses(part: ModuleType, row: Row) -> list[Record]:
    """Records with source, id and sizes that fit, the row left as it was; or a DataError that names the row."""
    before = deepcopy(row)
    records, _ = _attempt(part, row)
    assert row == before, f"parse changed the row: {row}"
    for record in records:
        assert record.source == WHERE, record
        assert record.id, record
        if isinstance(record, Steps):
            assert len(record.labels) == len(record.steps) > 0, record
            continue
        n = len(record.responses)
        assert n > 0, record
        assert record.ranks is None or (len(record.ranks) == n and min(record.ranks) == 0), record
        assert len(record.ratings) in (0, n), record
    return records


def _attempt(part: ModuleType, row: Row) -> tuple[list[Record], str]:
    """The records of a row, or why there are none."""
    try:
        return list(part.parse(row, where=WHERE)), ""
    except DataError as refused:
        fault = refused
    assert fault.where == WHERE, fault
    return [], fault.reason


def survives_writing(part: ModuleType, record: Record) -> None:
    """What is written reads back equal in all that the layout declares to hold, or it is refused by name."""
    fault = None
    try:
        row = part.write(record)
    except DataError as refused:
        fault = refused
    if fault is not None:
        assert fault.where == record.source, fault
        return
    (again,) = part.parse(row, where=WHERE)
    assert held(again, part.HOLDS) == held(record, part.HOLDS), (record, row, again)


def held(record: Record, holds: frozenset[str]) -> Record:
    """A record as far as a layout holds it: responses best first unless it keeps their order, other fields blank."""
    if isinstance(record, Steps):
        return replace(record, source="")
    if "order" not in holds and record.ranks is not None:
        order = sorted(range(len(record.responses)), key=record.ranks.__getitem__)
        rated = tuple(record.ratings[i] for i in order) if record.ratings else ()
        responses = tuple(record.responses[i] for i in order)
        record = replace(record, responses=responses, ratings=rated, ranks=tuple(sorted(record.ranks)))
    blank: dict[str, Any] = {"id": "", "strength": None, "target": None, "margin": 0.0, "weight": 1.0,
                             "annotator": "", "group": "", "tags": {}, "ratings": ()}  # fmt: skip
    return replace(record, source="", **{name: blank[name] for name in PAIR_FIELDS if name not in holds})


def swaps(part: ModuleType, row: Row, record: Preference) -> None:
    """A swapped row says that the other response is better; swapped twice it is what it was."""
    changed = deepcopy(row)
    changed = part.swap(changed, record)
    if record.is_tie:
        part.swap(changed, record)
        assert changed == row, (row, changed)
        return
    others = [r for r in part.parse(changed, where=WHERE) if isinstance(r, Preference)]
    best, worst = (_sides(record) for _ in range(2))
    assert any(_sides(other) == (best[1], worst[0]) for other in others), (row, changed)
    part.swap(changed, record)
    assert changed == row, (row, changed)


def _sides(record: Preference) -> tuple[Any, Any]:
    better, worse = record.comparisons()[0]
    return record.responses[better], record.responses[worse]


def refuses_rubbish(part: ModuleType, row: Row) -> None:
    """Whatever stands in a field, the answer is records or a DataError with a reason, never another exception."""
    rubbish: tuple[Any, ...] = (
        None, True, -7, 1.5, 1e300, "", "x", [], [1], [None], [[]], {}, {"a": 1}, [{"role": "user"}], [{}], [True] * 6,
    )  # fmt: skip
    for key in row:
        for broken in (*({**row, key: value} for value in rubbish), {k: v for k, v in row.items() if k != key}):
            part.recognises(broken)
            records, reason = _attempt(part, broken)
            assert records or reason, broken
