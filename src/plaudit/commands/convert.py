"""`plaudit convert`: preferences in another tool's layout."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from plaudit.data.options import ConvertOptions

if TYPE_CHECKING:
    from plaudit.data.read import Row
    from plaudit.data.write import Written
    from plaudit.records import Record

SHOWN_REASONS = 20
LISTED, SHOWN = 100, 10  # faulty rows in --json, and on the screen


def convert(
    files: list[str],
    /,
    *,
    to: str,
    output: Path,
    options: Annotated[ConvertOptions, Parameter(name="*")] = ConvertOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write preferences in another tool's layout, counting whatever that layout cannot hold.

    Parameters
    ----------
    files
        Data files (json, jsonl, csv, parquet, gzipped or not), folders of them, or hub:OWNER/NAME[:split].
    to
        Layout to write: trl, openrlhf, nemo-rl, llama-factory, canonical, hh or trl-implicit.
    output
        New file; its suffix decides the form: .jsonl, .json, .csv (also with .gz) or .parquet.
    json
        Print one JSON document on standard output.
    """
    from plaudit.data.columns import renames
    from plaudit.data.limits import Limits
    from plaudit.data.read import read
    from plaudit.data.rejects import keep_rejects
    from plaudit.data.told import told
    from plaudit.data.write import write, writer
    from plaudit.errors import OptionError
    from plaudit.report import terminal

    writer(to)  # a wrong name is told before anything is read
    limits = Limits(line_bytes=options.line_bytes)
    found = read(files, layout=options.layout, columns=renames(options.columns), limits=limits)
    rows: Iterable[Row] = told(found, options.layout)
    if options.rejects is not None:
        if options.rejects.resolve() == output.resolve():
            raise OptionError(["--rejects and --output name the same file"])
        rows = keep_rejects(rows, options.rejects)
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    rejects: list[dict[str, str]] = []
    done = write(_records(rows, counts, reasons, rejects), to, output, as_pairs=options.as_pairs)
    if json:
        terminal.document(_document(done, counts, reasons) | {"rejects": rejects})
    else:
        _show(done, counts, reasons, rejects)
    return 0 if done.written else 2


def _records(
    rows: "Iterable[Row]", counts: Counter[str], reasons: Counter[str], rejects: list[dict[str, str]]
) -> "Iterator[Record]":
    from plaudit.data.decode import without_place

    for row in rows:
        counts["rows"] += 1
        counts["kept" if row.kept else "rejected"] += 1
        if row.reason is not None:
            reasons[without_place(row.reason)] += 1
            if len(rejects) < LISTED:
                rejects.append({"where": row.where, "reason": row.reason})
        counts["records"] += len(row.records)
        yield from row.records


def _document(done: "Written", counts: Counter[str], reasons: Counter[str]) -> dict[str, Any]:
    return {
        "output": done.path, "layout": done.layout, "rows": counts["rows"], "kept": counts["kept"],
        "rejected": counts["rejected"], "records": counts["records"], "written": done.written,
        "skipped": done.skipped, "skipped_reasons": done.reasons, "lost": done.lost,
        "unread": done.unread, "late": list(done.late),
        "rejected_reasons": dict(reasons.most_common()), "files": list(done.files), "usage": done.usage,
    }  # fmt: skip


def _show(done: "Written", counts: Counter[str], reasons: Counter[str], rejects: list[dict[str, str]]) -> None:
    from plaudit.report.terminal import note, table

    keys = ["rows", "kept", "rejected", "records"]
    table(f"Written as {done.layout}", ["file", *keys, "written", "skipped"],
          [[done.path, *(counts[key] for key in keys), done.written, done.skipped]])  # fmt: skip
    if reasons:
        table(
            "Rejected or used in part", ["reason", "rows"], [list(item) for item in reasons.most_common(SHOWN_REASONS)]
        )
        shown = [[fault["where"], fault["reason"]] for fault in rejects[:SHOWN]]
        table(f"Where (first {len(shown)}; --rejects F keeps them all)", ["where", "reason"], shown)
    for words in filter(None, (done.cannot_hold, *done.warnings)):
        note(words)
    for extra in done.files:
        if extra != done.path:
            note(f"see also {extra}")
    if not done.written:
        note(f"nothing could be written: {done.path} was not made")
    if done.usage:
        note(done.usage)
