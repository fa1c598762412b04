"""`plaudit inspect`: what is in these files."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from plaudit.data.options import InspectOptions

if TYPE_CHECKING:
    from plaudit.data.outline import Outline
    from plaudit.data.read import Row

SHOWN_REJECTS = 100


def inspect(
    files: list[str],
    /,
    *,
    options: Annotated[InspectOptions, Parameter(name="*")] = InspectOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """What is in these files: layout, counts, lengths, ties, duplicates, what was dropped and why.

    Parameters
    ----------
    files
        Data files (json, jsonl, csv, parquet, gzipped or not), folders of them, or hub:OWNER/NAME[:split].
    json
        Print one JSON document on standard output.
    """
    from plaudit.data.columns import renames
    from plaudit.data.limits import Limits
    from plaudit.data.outline import outline
    from plaudit.data.read import read
    from plaudit.data.rejects import keep_rejects
    from plaudit.data.tally import shared_groups, summary
    from plaudit.report import terminal

    limits = Limits(line_bytes=options.line_bytes)
    rows: Iterable[Row] = read(files, layout=options.layout, columns=renames(options.columns), limits=limits)
    if options.rejects is not None:
        rows = keep_rejects(rows, options.rejects)
    rejects: list[dict[str, str]] = []
    partly: list[dict[str, str]] = []
    found = outline(_watched(rows, rejects, partly, options.strict), options.group_by)
    summaries = [summary(found, i) for i in range(len(found.files))]
    across = _across(found, summaries, shared_groups(found))
    if json:
        terminal.document({"files": summaries, "rejects": rejects, "partly_used": partly, "across": across})
    else:
        _show(summaries, rejects, partly, across)
    return 0 if any(count.kept for count in found.files) else 2


def _watched(
    rows: "Iterable[Row]", rejects: list[dict[str, str]], partly: list[dict[str, str]], strict: bool
) -> "Iterator[Row]":
    """Rows passed on; the first faults are remembered, and with `strict` the first one ends it."""
    from plaudit.errors import DataError

    for row in rows:
        if row.reason is not None:
            if strict:
                raise DataError(row.where, row.reason, advice="leave --strict out to go on past bad rows")
            kind = partly if row.kept else rejects
            if len(kind) < SHOWN_REJECTS:
                kind.append({"where": row.where, "reason": row.reason})
        yield row


def _across(found: "Outline", summaries: list[dict], shared: list[tuple[int, int, int]]) -> dict[str, Any]:
    """What only shows over all files together."""
    from plaudit.data.tally import contradictions, duplicates

    if len(summaries) < 2:
        return {"duplicates": 0, "contradictions": 0, "shared_prompts": []}
    return {
        "duplicates": int(duplicates(found).sum()) - sum(s["duplicates"] for s in summaries),
        "contradictions": contradictions(found) - sum(s["contradictions"] for s in summaries),
        "shared_prompts": [
            {"files": [summaries[i]["path"], summaries[j]["path"]], "prompts": n,
             "share": n / max(1, min(summaries[i]["groups"], summaries[j]["groups"]))}
            for i, j, n in shared
        ],
    }  # fmt: skip


def _show(summaries: list[dict], rejects: list[dict], partly: list[dict], across: dict) -> None:
    from plaudit.report.terminal import table

    names = ["file", "layout", "rows", "kept", "rejected", "preferences", "steps", "ties", "prompts"]
    keys = ["path", "layout", "rows", "kept", "rejected", "preferences", "steps", "ties", "groups"]
    table("What was read", names, [[s[k] for k in keys] for s in summaries])
    judged = [s for s in summaries if s["preferences"]]
    if judged:
        keys = ["path", "comparisons", "duplicates", "contradictions", "disagreements", "longer_wins", "annotators"]
        names = ["file", "comparisons", "duplicates", "contradictions", "disagreements", "longer wins", "annotators"]
        rows = [[s[k] for k in keys] + _turns(s) for s in judged]
        table("Labels", [*names, "human turns", "most"], rows)
        rows = [[s["path"], part, *quantiles] for s in judged for part, quantiles in s["chars"].items()]
        table("Lengths in characters", ["file", "of", "5 %", "25 %", "median", "75 %", "95 %", "longest"], rows)
    strengths = [[s["path"], kind, n] for s in judged for kind, n in (s["strengths"] or {}).items()]
    if strengths:
        table("Strength as the source grades it", ["file", "strength", "preferences"], strengths)
    if across["duplicates"] or across["contradictions"]:
        rows = [["exact duplicates", across["duplicates"]], ["contradictions", across["contradictions"]]]
        table("Between files", ["what", "count"], rows)
    if across["shared_prompts"]:
        rows = [[*s["files"], s["prompts"], s["share"]] for s in across["shared_prompts"]]
        table("Prompts in two files", ["file", "and", "prompts", "of the smaller"], rows)
    _show_faults(summaries, rejects, partly)


def _turns(s: dict) -> list[Any]:
    return [s["human_turns"]["median"], s["human_turns"]["max"]] if s["human_turns"] else [None, None]


def _show_faults(summaries: list[dict], rejects: list[dict], partly: list[dict]) -> None:
    from plaudit.report.terminal import note, table

    carried = sum(s["carry_columns"] for s in summaries)
    if carried:
        note(f"{carried:,} preferences carry a target, margin or weight of their own; train obeys them")
    reasons = [[s["path"], reason, n] for s in summaries for reason, n in s["reasons"].items()]
    if reasons:
        table("Rows that could not be used, wholly or in part", ["file", "reason", "rows"], reasons)
    for title, faults in (("Rejected", rejects), ("Kept in part", partly)):
        if faults:
            shown = [[fault["where"], fault["reason"]] for fault in faults[:10]]
            more = f" (first {len(shown)}; --rejects F keeps them all)" if title == "Rejected" else ""
            table(title + more, ["where", "reason"], shown)
