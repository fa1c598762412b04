"""What wins beside quality: the longer response, the one with more list items, more markdown, the one shown first.

For every file and every tag with a few values, and pooled. A scorer that sees only length gets as far as the longer one
wins, or loses, in each file it knows. Parts that pull in opposite directions (HH: helpful 0.61, harmless 0.45) are
named, because the pooled number hides them: they are opposite when both intervals, widened for the number of parts
looked at (Bonferroni), lie on different sides of one half.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks._judgements import brief
from plaudit.data.checks._parts import parts
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.data.tally import comparisons
from plaudit.metrics.intervals import codes, mean_interval

SEEN = {
    "longer": "the longer response", "lists": "the one with more list items",
    "marked": "the one with more headings, bold, quotations and code", "first": "the first one",
}  # fmt: skip


def check(outline: Outline, *, enough: int = 50, strong: float = 0.1) -> Finding:
    """`enough`: comparisons a tag's value needs to be shown; `strong`: distance from 1/2 that is a warning.

    Shares count the comparisons in which the two responses differ in the respect asked for; equal lengths count half.
    Intervals are 95 %, clustered by prompt group.
    """
    whose, wins, loses = comparisons(outline)
    if not len(whose):
        return Finding("skews", "skip", "no two responses were ordered")
    credit = _credit(outline, whose, wins, loses)
    group = codes(outline.preference["group"][whose])
    pooled = _shares(credit, group, np.ones(len(whose), bool), 0.05)
    found = list(parts(outline, whose, enough))
    level = 0.05 / max(len(found), 1)
    rows: dict[str, dict[str, Any]] = {}
    for kind, name, inside in found:
        rows.setdefault(kind, {})[name] = _shares(credit, group, inside, level)
    opposite = [o for what in SEEN for kind, own in rows.items() if (o := _opposite(what, kind, own))]
    knowing = _knowing(rows["file"])
    files = rows.pop("file")
    tags = {kind.removeprefix("tag:"): _clean(own) for kind, own in rows.items()}
    value = {
        **{name: _plain(own) for name, own in pooled.items()}, "length_only": pooled["longer"]["share"],
        "length_only_by_file": knowing, "files": _clean(files), "tags": tags,
        "opposite": opposite,
    }  # fmt: skip
    return _finding(value, strong)


def _credit(o: Outline, whose: NDArray, wins: NDArray, loses: NDArray) -> dict[str, NDArray[np.float64]]:
    """1 where the longer, more listing, more marked, first response wins, 0 where it loses, 1/2 equally long, NaN: does
    not count.
    """
    gap, items, more = (
        o.response[name][wins].astype(np.int64) - o.response[name][loses].astype(np.int64)
        for name in ("chars", "lists", "marks")
    )
    file = o.preference["file"][whose]
    shows = np.bincount(file, wins > loses, len(o.files))[file] > 0  # else the file names the better one first
    return {
        "longer": 0.5 + 0.5 * np.sign(gap), "lists": np.where(items == 0, np.nan, (items > 0).astype(float)),
        "marked": np.where(more == 0, np.nan, (more > 0).astype(float)),
        "first": np.where(shows, (wins < loses).astype(float), np.nan),
    }  # fmt: skip


def _shares(credit: dict[str, NDArray], group: NDArray, inside: NDArray[np.bool_], level: float) -> dict[str, Any]:
    """Share, interval, count, and the side of 1/2 on which the interval of this `level` lies, of every respect."""
    out: dict[str, Any] = {}
    for name, values in credit.items():
        rows = inside & ~np.isnan(values)
        if not rows.any():
            out[name] = {"share": None, "low": None, "high": None, "n": 0, "side": 0}
            continue
        mean = float(values[rows].mean())
        ends = mean_interval(values[rows], group[rows])
        wide = ends
        if level < 0.05 and not ends.low <= 0.5 <= ends.high:
            wide = mean_interval(values[rows], group[rows], level=1 - level, draws=4000)
        side = int(wide.low > 0.5) - int(wide.high < 0.5)
        out[name] = {
            "share": mean,
            "low": float(ends.low),
            "high": float(ends.high),
            "n": int(rows.sum()),
            "side": side,
        }
    return out


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("share", "low", "high", "n")}


def _clean(rows: dict[str, Any]) -> dict[str, Any]:
    return {name: {what: _plain(own) for what, own in row.items()} for name, row in rows.items()}


def _opposite(what: str, kind: str, rows: dict[str, Any]) -> dict[str, Any] | None:
    """The two most opposed parts of one kind, when they surely lie on different sides.

    The first place is compared between files only: a tag often names the models, and so which of them stands first.
    """
    if what == "first" and kind != "file":
        return None
    sure = sorted((row[what]["share"], name) for name, row in rows.items() if row[what]["side"])
    if not sure or (sure[0][0] - 0.5) * (sure[-1][0] - 0.5) >= 0:
        return None
    low, high = sure[0], sure[-1]
    return {"what": what, "by": kind.removeprefix("tag:"), "low": {"part": low[1], "share": low[0]},
            "high": {"part": high[1], "share": high[0]}}  # fmt: skip


def _knowing(files: dict[str, Any]) -> float:
    """How far length alone gets when it knows the file and that file's direction, where that is sure."""
    own = [(row["longer"]["n"], row["longer"]["share"], row["longer"]["side"]) for row in files.values()]
    right = sum(n * (max(share, 1 - share) if side else 0.5) for n, share, side in own if n)
    return right / max(sum(n for n, _, _ in own), 1)


def _finding(value: dict[str, Any], strong: float) -> Finding:
    longer = value["longer"]
    text = f"the longer response wins {longer['share']:.1%} ({longer['low']:.1%} to {longer['high']:.1%})"
    for o in value["opposite"][:1]:
        high, low = (f"{o[end]['share']:.1%} in {brief(o[end]['part'])}" for end in ("high", "low"))
        pooled = f"pooled, {SEEN[o['what']]} wins {value[o['what']]['share']:.1%}"
        text = f"{pooled}, which hides {high} and {low} (by {brief(o['by'])})"
        advice = "read every number by part, and evaluate by part: one liking for length cannot serve both"
        return Finding("skews", "warn", text, value, advice=advice)
    far = {
        what: value[what] for what in SEEN if value[what]["n"] and not value[what]["low"] <= 0.5 <= value[what]["high"]
    }
    if not far:
        return Finding("skews", "ok", text + ", no skew that the data can show", value)
    for what in far:
        if what != "longer":
            text += f"; {SEEN[what]} {value[what]['share']:.1%}"
    warn = any(row["low"] - 0.5 > strong or 0.5 - row["high"] > strong for row in far.values())
    advice = "hold every model against length: plaudit evaluate length FILE prints the same accuracy for length alone"
    return Finding("skews", "warn" if warn else "note", text, value, advice=advice)
