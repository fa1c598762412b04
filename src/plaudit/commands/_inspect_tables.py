"""What `plaudit inspect` shows to a person."""

import os.path
from typing import Any

from plaudit.report.terminal import note, table

_QUANTILES = ["5 %", "25 %", "median", "75 %", "95 %", "longest"]
Summary = dict[str, Any]


def show(summaries: list[Summary], rejects: list[dict], partly: list[dict], across: dict[str, Any]) -> None:
    """Tables of what was read, its labels and lengths, what files share, and what could not be used."""
    short = _short_names([s["path"] for s in summaries])
    summaries = [{**s, "path": short[s["path"]]} for s in summaries]
    names = ["file", "layout", "rows", "kept", "rejected", "preferences", "steps", "ties", "prompts"]
    keys = ["path", "layout", "rows", "kept", "rejected", "preferences", "steps", "ties", "groups"]
    table("What was read", names, [[s[k] for k in keys] for s in summaries])
    judged = [s for s in summaries if s["preferences"]]
    if judged:
        _show_labels(judged)
        _show_lengths(judged)
    _show_solutions([s for s in summaries if s["solutions"]])
    _show_between(across, short)
    _show_faults(summaries, rejects, partly)


def _short_names(paths: list[str]) -> dict[str, str]:
    """Paths without the folder that all of them share."""
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else ""
    return {p: p if p.startswith("hub:") else os.path.relpath(os.path.abspath(p), folder) for p in paths}


def _show_labels(judged: list[Summary]) -> None:
    keys = ["path", "comparisons", "duplicates", "contradictions", "disagreements", "longer_wins", "annotators"]
    names = ["file", "comparisons", "duplicates", "contradictions", "disagreements", "longer wins", "annotators"]
    turns = [[_whole(s["human_turns"]["median"]), s["human_turns"]["max"]] if s["human_turns"] else [None] * 2
             for s in judged]  # fmt: skip
    rows = [[s[k] for k in keys] + more for s, more in zip(judged, turns)]
    table("Labels", [*names, "human turns", "at most"], rows)
    strengths = [[s["path"], kind, n] for s in judged for kind, n in (s["strengths"] or {}).items()]
    if strengths:
        table("Strength as the file gives it", ["file", "strength", "preferences"], strengths)


def _whole(number: float) -> float | int:
    """Without decimals where there are none."""
    return int(number) if number == int(number) else number


def _show_lengths(judged: list[Summary]) -> None:
    rows = [[s["path"], part, *quantiles] for s in judged for part, quantiles in s["chars"].items()]
    table("Lengths in characters", ["file", "of", *_QUANTILES], rows)
    counted = [(s["path"], s["tokens"]) for s in judged if s.get("tokens")]
    if counted:
        over = f"over {counted[0][1]['max_length']:,}"
        rows = [[path, *t["quantiles"], t["over_max_length"], t["refused"]] for path, t in counted]
        table("Lengths in tokens, prompt and response together", ["file", *_QUANTILES, over, "refused"], rows)


def _show_solutions(judged: list[Summary]) -> None:
    """Files of solutions that were judged step by step."""
    rows = []
    for path, s in ((one["path"], one["solutions"]) for one in judged):
        steps, first, chars = s["steps"], s["first_error"] or {}, s["chars"]
        rows.append([path, s["solutions"], s["problems"], s["repeats"], steps["median"], steps["most"], chars["median"],
                     s["without_error"], first.get("median"), s["steps_nobody_judged"]])  # fmt: skip
    names = ["file", "solutions", "problems", "repeats", "steps (median)", "at most", "characters",
             "without error", "first error (median)", "unjudged steps"]  # fmt: skip
    if rows:
        table("Solutions judged step by step", names, rows)


def _show_between(across: dict[str, Any], short: dict[str, str]) -> None:
    if across["duplicates"] or across["contradictions"]:
        rows = [["duplicates", across["duplicates"]], ["contradictions", across["contradictions"]]]
        table("Between files", ["what", "count"], rows)
    if across["shared_prompts"]:
        keys = ["prompts", "share", "duplicates", "contradictions"]
        rows = [[*(short[f] for f in s["files"]), *(s[k] for k in keys)] for s in across["shared_prompts"]]
        names = ["file", "and", "prompts", "share of the smaller", "same judgements", "contradictions"]
        table("In two files", names, rows)


def _show_faults(summaries: list[Summary], rejects: list[dict], partly: list[dict]) -> None:
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
