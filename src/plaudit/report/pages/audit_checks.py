"""The checks that need no model, as the audit's page shows them: the most urgent first, their numbers with names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plaudit.report.pages.audit_words import STATUS
from plaudit.report.pages.frame import Visible, name
from plaudit.report.pages.grids import Grid, grids

ORDER = ("warn", "note", "ok")
IDS = 10  # ids listed of a check
EACH = "every annotator"
ASK = ", and audit with --noise annotator so that p_wrong knows them"  # the end of an advice of data.checks.annotators
# What the annotators' check calls its numbers, in words of a reader.
NAMES = {
    "contradict_themselves": "cases of a label against their own earlier one", "pairs": "pairs judged by two or more",
    "pairs_strict": "such pairs without ties", "alpha": "Krippendorff's alpha", "observed": "agreement",
    "alpha_strict": "Krippendorff's alpha without ties", "observed_strict": "agreement without ties", "each": EACH,
    "first_wins": "first wins", "first_wins_of": "judgements that show an order",
    "longer_wins": "longer wins", "longer_wins_of": "judgements of unequal lengths",
    "repeated": "judgements of pairs that others judged", "looks": "skill in a noisy Bradley-Terry model",
    "habit_first": "its habit of the first", "first_leans": "first wins, against the median annotator",
    "longer_leans": "longer wins, against the median annotator",
}  # fmt: skip


def checks(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Checks with something to say, the most urgent first."""
    found = document["data_checks"]
    known = document["noise"]["model"] == "annotator"  # then nobody need be told to ask for it
    ran = [(check["status"], key, check) for key, check in found.items() if check["status"] in ORDER]
    return [
        {
            "status": status, "label": STATUS[status], "title": name(key.replace("_", " ").capitalize()),
            "text": check["text"], "advice": check["advice"].replace(ASK, "") if known else check["advice"],
            "grids": _people(check["value"]) if key == "annotators" else grids(check["value"]),
            "ids": [name(i) for i in check["ids"][:IDS]], "count": check["count"],
        }
        for status, key, check in sorted(ran, key=lambda row: ORDER.index(row[0]))
    ]  # fmt: skip


def skipped(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[Visible, str]]:
    """Checks that did not run, and why."""
    return [(name(key.replace("_", " ")), c["text"]) for key, c in found.items() if c["status"] not in ORDER]


def _people(value: Mapping[str, Any]) -> list[Grid]:
    """The numbers of the annotators' check, with words for their keys and a heading over the annotators' names.

    >>> table = _people({"each": {"ann": {"first_wins": 0.5, "first_wins_low": 0.4, "first_wins_high": 0.6}}})[0]
    >>> table.caption, table.columns
    ('every annotator', ('annotator', 'first wins'))
    """
    named = _named(value)
    if isinstance(value.get("each"), Mapping):
        named[EACH] = {who: _named(row) for who, row in value["each"].items()}
    head = ("annotator",)
    return [replace(g, columns=head + g.columns[1:]) if g.caption == EACH and g.columns else g for g in grids(named)]


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with words for its keys; the ends of an interval keep theirs."""
    out = {}
    for key, value in row.items():
        end = next((end for end in ("_low", "_high") if key.endswith(end)), "")
        stem = key.removesuffix(end)
        out[NAMES.get(stem, stem) + end] = value
    return out
