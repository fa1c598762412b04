"""`plaudit inspect`: what is in these files."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from plaudit.data.options import InspectOptions

if TYPE_CHECKING:
    from plaudit.commands._token_lengths import TokenLengths
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
    from plaudit.commands._inspect_tables import show
    from plaudit.data.outline import outline
    from plaudit.data.tally import summary
    from plaudit.report.terminal import clean, document, note

    tokens, rows = _counted(_rows(files, options), options)
    rejects, partly = list[dict[str, str]](), list[dict[str, str]]()
    found = outline(_watched(rows, rejects, partly, options.strict), options.group_by)
    summaries = [summary(found, i) for i in range(len(found.files))]
    if tokens is not None:
        for one in summaries:
            one["tokens"] = tokens.of(one["path"])
    across = _across(found, summaries)
    if json:
        document({"files": summaries, "rejects": rejects, "partly_used": partly, "across": across})
    elif summaries:
        show(summaries, rejects, partly, across)
    for file in _without_rows(files, found):
        note(f"plaudit: {clean(file)}: holds no rows")
    return 0 if any(count.kept for count in found.files) else 2


def _without_rows(files: list[str], found: "Outline") -> list[str]:
    """The files in which nothing stands that a row could be: an empty array, a csv header alone."""
    from plaudit.data.opening import files_of

    some = {count.path for count in found.files}
    each = [file for path in files for file in ([path] if path.startswith("hub:") else files_of(path))]
    return [file for file in dict.fromkeys(each) if file not in some]


def _rows(files: list[str], options: InspectOptions) -> "Iterable[Row]":
    """The rows of the files; the rejected ones are written down on their way when that is asked for."""
    from plaudit.data.columns import renames
    from plaudit.data.limits import Limits
    from plaudit.data.read import read
    from plaudit.data.rejects import keep_rejects

    limits = Limits(line_bytes=options.line_bytes)
    rows = read(files, layout=options.layout, columns=renames(options.columns), limits=limits)
    return rows if options.rejects is None else keep_rejects(rows, options.rejects)


def _counted(rows: "Iterable[Row]", options: InspectOptions) -> "tuple[TokenLengths | None, Iterable[Row]]":
    """The rows, measured in tokens on their way when a model is named."""
    if options.model is None:
        return None, rows
    from plaudit.commands._token_lengths import TokenLengths, measured, policy_of

    lengths = TokenLengths(policy_of(options.model, **options.trust()))
    return lengths, measured(rows, lengths)


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


def _across(found: "Outline", summaries: list[dict]) -> dict[str, Any]:
    """What only shows over all files together."""
    from plaudit.data.tally import contradictions_between, duplicates, shared

    if len(summaries) < 2:
        return {"duplicates": 0, "contradictions": 0, "shared_prompts": []}
    return {
        "duplicates": int(duplicates(found).sum()) - sum(s["duplicates"] for s in summaries),
        "contradictions": contradictions_between(found),
        "shared_prompts": [
            {"files": [summaries[i]["path"] for i in two.files], "prompts": two.prompts, "share": two.share,
             "duplicates": two.duplicates, "contradictions": two.contradictions}
            for two in shared(found)
        ],
    }  # fmt: skip
