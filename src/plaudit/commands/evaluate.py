"""`plaudit evaluate`: what a scorer is worth, beside random and length-only."""

from typing import Annotated

from cyclopts import Parameter

from plaudit.evaluation.options import EvaluateOptions


def evaluate(
    scorer: str | None = None,
    /,
    *files: str,
    options: Annotated[EvaluateOptions, Parameter(name="*")] = EvaluateOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """What a scorer is worth on preference files or a suite, always beside random and length-only.

    Parameters
    ----------
    scorer
        A checkpoint or committee folder, or a built-in name: length, random. Left out with --scores.
    files
        Data files (json, jsonl, csv, parquet, gzipped or not), folders of them, or hub:OWNER/NAME[:split].
    json
        Print one JSON document on standard output.
    """
    from plaudit.evaluation.evaluate import dry_run, run
    from plaudit.evaluation.show import show_estimate, show_evaluation
    from plaudit.report import terminal

    if options.scores and scorer is not None:  # every name is a file then
        files, scorer = (scorer, *files), None
    if options.dry_run:
        expected = dry_run(scorer, files, options)
        terminal.document(expected) if json else show_estimate(expected)
        return 0
    found = run(scorer, files, options)
    if json:
        terminal.document(found.document())
    else:
        show_evaluation(found)
    return 0
