"""Evaluations on the screen: every score with its interval and its company."""

from collections.abc import Mapping, Sequence
from typing import Any

from plaudit.evaluation.evaluate import ALL, Evaluation
from plaudit.metrics.outcomes import Result
from plaudit.report.terminal import note, table

DEEPEST = 3  # parts of a suite's section shown: rmb/pairs/helpfulness; the rest is in the JSON
FIRST = 10  # rows shown that could not be used
WIDEST = 28  # characters of a file's name
COLUMNS = ["n", "prompts", "score %", "95 % interval", "ties %", "random %", "length-only %", "ahead of length"]
FEWER = [0, 1, 2, 3, 4, 6]  # of these columns in the breakdown, where random is always 50


def show_evaluation(found: Evaluation) -> None:
    """Tables of an evaluation, and on stderr what a reader must know about them."""
    shown = [r for r in found.results if r.name.count("/") < DEEPEST or r.name.split("/")[0] not in found.suites]
    rows = [[_short(r.name) + _mark(found, r.name), r.kind, *_cells(r)] for r in shown]
    table(f"{found.scorer}: what it is worth", ["on", "kind", *COLUMNS], rows)
    if found.breakdown:
        lines = [[line["by"], _where(found, line), *_line(line)] for line in found.breakdown]
        table("The same comparisons, broken down", ["by", "where", *(COLUMNS[i] for i in FEWER)], lines)
    for name, detail in found.suites.items():
        _show_suite(name, detail, len(found.results) - len(shown))
    if found.counts.get("rows") and not found.suites:
        show_counts("Rows", {k: v for k, v in found.counts.items() if v}, found.rejects)
    _notes(found)


def _mark(found: Evaluation, name: str) -> str:
    """A star where the scorer was trained on rows behind this line: those of its file, of any file, or of its suite."""
    files = found.seen["files"] if found.seen else {}
    whole = name.split("/")[0] if found.suites else name
    return "*" if whole in files or (files and name == ALL) else ""


def _where(found: Evaluation, line: Mapping[str, Any]) -> str:
    value = line["value"]
    return _short(value) + _mark(found, value) if line["by"] == "source" else value


def _short(name: str) -> str:
    """A path by its last parts, so that the numbers beside it have room."""
    parts = name.split("/")
    while len(parts) > 1 and len("/".join(parts)) > WIDEST:
        parts = parts[1:]
    short = "/".join(parts)
    return short if short == name else f"…/{short}"


def _cells(r: Result) -> list[Any]:
    wins = not r.kind.startswith("spearman")
    scale = 100 if wins else 1

    def number(value: float | None) -> str:
        return "-" if value is None or value != value else f"{value * scale:.{1 if wins else 2}f}".rjust(5)

    ahead = "-"
    if r.ahead:
        gap, low, high = r.ahead
        ahead = f"{gap * 100:+5.1f} ({low * 100:+.1f} to {high * 100:+.1f})"
    interval = f"{number(r.low)} to {number(r.high)}" + {"wilson": " (Wilson)", "fisher": " (Fisher)"}.get(
        r.interval, ""
    )
    ties = f"{r.ties * 100:.1f}".rjust(5) if wins else "-"
    return [r.n, r.groups, number(r.score), interval, ties, number(r.random), number(r.length_only), ahead]


def _line(line: Mapping[str, Any]) -> list[Any]:
    cells = _cells(Result(**{k: v for k, v in line.items() if k not in ("by", "value")}))
    return [cells[i] for i in FEWER]


def _show_suite(name: str, detail: Mapping[str, Any], hidden: int) -> None:
    coverage = detail.get("coverage")
    if coverage and coverage[0]["scored"] < coverage[0]["official"]:
        known = coverage[0]["here"] > 0
        rows = [
            [c["section"], c["official"], c["here"] if known else None, c["withheld"] if known else None, c["scored"],
             f"{c['lowest'] * 100:.1f} to {c['highest'] * 100:.1f}"]
            for c in coverage
        ]  # fmt: skip
        names = ["section", "official rows", "in the files", "text withheld", "scored", "official score, bounds %"]
        table(f"{name}: what is missing, and where the score would lie if all of it were lost or won", names, rows)
    rule = {"loss": "a tie is a loss", "half": "a tie is half", "win": "a tie is a win"}[detail["ties"]]
    note(f"{name}, version {detail['version']}: {rule}; {hidden} finer sections are in --json and results.json")
    if detail.get("not_scored"):
        first = detail["not_scored"][0]
        note(
            f"{name}: {len(detail['not_scored']):,} rows the scorer cannot take; "
            f"the first is {first['where']}: {first['reason']}"
        )
    if detail.get("cut"):
        note(f"{name}: {detail['cut']:,} prompts are longer than the model reads: their oldest turns were left out")
    if detail.get("without_score"):
        note(f"{name}: {detail['without_score']:,} rows have no score and count as lost (--missing loss)")
    if detail["without_prompt"]:
        note(
            f"{name}: {detail['without_prompt']:,} rows come without their prompt and texts: intervals take each for a "
            "prompt of its own, and length-only cannot stand beside them"
        )


def _notes(found: Evaluation) -> None:
    files = found.seen["files"] if found.seen else {}
    for name, met in files.items():
        note(
            f"* {_short(name)}: {met['rows']:,} of its rows ({met['groups']:,} prompts) are in the scorer's training "
            "data: these numbers are too high"
        )
    if found.seen and not files:
        note("no prompt here is in the scorer's training data")
    ties = found.counts.get("labelled_ties", 0)
    if ties:
        note(f"{ties:,} preferences are labelled ties and stand outside accuracy")
    if found.counts.get("flipped_by_target"):
        note(f"{found.counts['flipped_by_target']:,} preferences have a target below 1/2: judged the other way round")
    if found.counts.get("without_score"):
        note(f"{found.counts['without_score']:,} rows have no stored score and count as lost")


def show_counts(title: str, counts: Mapping[str, int], rejects: Sequence[Mapping[str, str]]) -> None:
    """What became of the rows, and the first of those that could not be used."""
    table(title, ["what", "count"], [[k.replace("_", " "), v] for k, v in counts.items()])
    if rejects:
        some = (
            f" (the first {FIRST}; `plaudit inspect FILE --rejects F` keeps the rows)" if len(rejects) > FIRST else ""
        )
        table(f"Rows that could not be used, wholly or in part{some}", ["where", "reason"],
              [[r["where"], r["reason"]] for r in rejects[:FIRST]])  # fmt: skip
    if counts.get("cut"):
        note(f"{counts['cut']:,} prompts are longer than the model reads: their oldest turns were left out")


def show_estimate(found: Mapping[str, Any]) -> None:
    """What a run would take."""
    rows: list[list[Any]] = [[k.replace("_", " "), f"{v:,}"] for k, v in found.get("counts", {}).items()]
    rows.append(["characters", f"{found['characters']:,}"])
    if found["tokens"] is not None:
        rows.append(["tokens, about", f"{found['tokens']:,}"])
    rows.append([f"seconds, about (from {found['tried']} rows)", f"{found['seconds']:.1f}"])
    rows.append(["bytes of output, about", f"{found['bytes']:,}"])
    table("Dry run: nothing was written", ["what", "count"], rows)
