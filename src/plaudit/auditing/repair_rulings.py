"""From an audit's signals, treatments and decisions to a ruling on every comparison, found again by its content."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from plaudit.data.patch_rows import Ruling, tidy
from plaudit.errors import DataError, PlauditError
from plaudit.records import Preference
from plaudit.signals.recipes import Step, treat, with_margin
from plaudit.signals.treatments.decide import DECISIONS
from plaudit.signals.votes import Signals

Key = tuple[str, int, int]


class Places:
    """Where an audit speaks of a comparison: by the content of its preference and which response is better.

    Not by id: a file that was renamed, sorted or filtered since is still known. Where several rows have the same
    content, those of the same file go first: the one of the same line, else the one with the same id, else they are
    taken in order. (An id alone does not tell them apart: read with another file, a copy's id has "~2" at its end.)
    """

    def __init__(self, signals: Signals) -> None:
        self._ids = signals["id"].tolist()
        self._sources = signals["source"].tolist() if "source" in signals else [""] * len(self._ids)
        self._at: dict[Key, list[int]] = {}
        self._turn: dict[tuple[Key, str, str], int] = {}
        keys = (signals[name].tolist() for name in ("content", "better", "worse"))
        for row, key in enumerate(zip(*keys, strict=True)):
            self._at.setdefault(key, []).append(row)

    def again(self) -> None:
        """Forget which rows were taken: the file is read once more."""
        self._turn.clear()

    def __call__(self, preference: Preference, better: int, worse: int) -> int | None:
        """The row of the signals; None when the audit never saw this comparison."""
        key = (preference.content, better, worse)
        rows = self._at.get(key)
        if rows is None or len(rows) == 1:
            return rows[0] if rows else None
        path, _, line = os.path.abspath(preference.source).replace("\\", "/").rpartition(":")
        named = {row: self._sources[row].rpartition(":")[0] for row in rows}
        mine = [row for row in rows if f"/{path}".endswith(f"/{named[row]}")]
        longest = max((len(named[row]) for row in mine), default=0)  # sub/a.jsonl is not a.jsonl
        rows = [row for row in mine if len(named[row]) == longest] or rows
        base = _plain(preference.id)
        here = [row for row in rows if (self._sources[row].rpartition(":")[2], _plain(self._ids[row])) == (line, base)]
        for row in () if here else rows:
            if self._ids[row] == preference.id:
                return row
        taken = (key, line, base) if here else (key, "", "")
        turn = self._turn[taken] = self._turn.get(taken, -1) + 1
        return (here or rows)[turn % len(here or rows)]


def _plain(name: str) -> str:
    """An id without what the reader adds to one that repeats."""
    return re.sub(r"(~\d+)+$", "", name)


class Rulings:
    """The ruling on each comparison of an audit."""

    def __init__(
        self, signals: Signals, places: Places, plan: Sequence[Step], label: NDArray[np.float64], decision: NDArray
    ) -> None:
        """Treatments are applied to the whole audit (quantiles are of the audit, not of the file); decisions last."""
        steps = [step for step in plan if step.name != "decide"]
        if (decision != "").any():
            steps.append(Step("decide", {}))
        columns = {**signals.columns, "decision": decision}
        self._targets, self._touched = treat(columns, steps, label)
        self._signals, self._places, self._label, self._decision = signals, places, label, decision
        self._margins = with_margin(columns, steps, label) & (decision == "")
        self.steps = [str(step) for step in steps]

    def __call__(self, preference: Preference, better: int, worse: int) -> Ruling | None:
        row = self._places(preference, better, worse)
        return None if row is None else self.at(row, preference)

    def at(self, row: int, preference: Preference) -> Ruling:
        """The ruling of one row of the signals."""
        s, t = self._signals, self._targets
        facts: dict[str, Any] = {
            "id": preference.id, "better": int(s["better"][row]), "worse": int(s["worse"][row]),
            "mean": tidy(s["mean"][row]), "std": tidy(s["std"][row]), "p_disagree": tidy(s["p_disagree"][row]),
            "verdict": str(s["verdict"][row]),
        }  # fmt: skip
        if "p_wrong" in s and not np.isnan(s["p_wrong"][row]):
            facts["p_wrong"] = tidy(s["p_wrong"][row])
        if self._decision[row]:
            facts["decision"] = str(self._decision[row])
        why = tuple(step for step, rows in zip(self.steps, self._touched, strict=True) if rows[row])
        target, weight = tidy(t.target[row]), tidy(t.weight[row])
        margin = tidy(t.margin[row]) if self._margins[row] else None
        return Ruling(target, margin, weight, float(self._label[row]), why, facts)

    @property
    def fill(self) -> frozenset[str]:
        """The columns in which some comparison differs from 1, 0, 1 (a tie from 1/2): those that files must carry."""
        t = self._targets
        soft = np.maximum(t.target, 1 - t.target) != self._label
        unlike = {"target": soft, "margin": t.margin != 0, "weight": (t.weight != 1) & (t.weight != 0)}
        return frozenset(name for name, rows in unlike.items() if rows.any())


def decisions(path: Path | None, signals: Signals) -> NDArray:
    """What a person decided about each row of the signals, '' where nothing; the last line about a row counts.

    Raises:
        DataError: a line that cannot be used, with its number.
    """
    found = np.full(signals.rows, "", object)
    if path is None:
        return found
    rows_of: dict[str, list[int]] = {}
    copies: dict[str, set[str]] = {}  # the ids of an audit that are one id in the files
    for row, key in enumerate(signals["id"].tolist()):
        rows_of.setdefault(key, []).append(row)
        copies.setdefault(_plain(key), set()).add(key)
    try:
        raw_lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise PlauditError(f"{path}: cannot be read: {error.strerror or error}") from error
    for number, raw in enumerate(raw_lines, 1):
        if not raw.strip():
            continue
        row, decision = _decision(raw, f"{path}:{number}", rows_of, copies, signals)
        if decision:
            found[row] = decision
    return found


def _decision(
    raw: bytes, where: str, rows_of: Mapping[str, list[int]], copies: Mapping[str, set[str]], signals: Signals
) -> tuple[int, str]:
    """(row of the signals, decision) of one line; where an id stood on several rows, `source` must say which."""
    try:
        line = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(where, "not JSON") from error
    if type(line) is not dict or type(line.get("id")) is not str or type(line.get("decision")) is not str:
        raise DataError(where, 'a decision has the form {"id": "...", "decision": "flip"}')
    if line["decision"] not in DECISIONS:
        raise DataError(where, f"decision is {line['decision'][:20]!r}", advice="known: keep, flip, tie, drop")
    sides = (line.get("better"), line.get("worse"))
    if any(side is not None and type(side) is not int for side in sides):
        raise DataError(where, "better and worse are places of responses")
    rows = rows_of.get(line["id"], [])
    if not rows:
        raise DataError(where, f"the audit knows no comparison with the id {line['id'][:60]!r}")
    alike = copies.get(line["id"], set())
    if len(alike) > 1 and "source" in signals:
        rows = [row for name in alike for row in rows_of[name] if signals["source"][row] == line.get("source")]
        if not rows:
            places = [str(signals["source"][row]) for name in sorted(alike) for row in rows_of[name][:1]]
            raise DataError(
                where, f"{len(places)} rows have the id {line['id'][:60]!r}: {', '.join(places[:3])}"
                + (", ..." if len(places) > 3 else ""),
                advice=f'say which, as in "source": "{places[0]}", or copy the lines of signals.parquet or --doubtful',
            )  # fmt: skip
    if sides != (None, None):
        rows = [r for r in rows if (signals["better"][r], signals["worse"][r]) == sides]
        if not rows:
            raise DataError(where, f"the audit has no comparison of {sides[0]} with {sides[1]} under it")
    if len(rows) > 1:
        raise DataError(where, f"this id has {len(rows)} comparisons: say which, with better and worse")
    return rows[0], line["decision"]
