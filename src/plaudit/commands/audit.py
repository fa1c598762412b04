"""`plaudit audit`: which preferences are wrong, ambiguous, strong?"""

from typing import Annotated

from cyclopts import Parameter

from plaudit.auditing.options import AuditOptions


def audit(
    files: list[str],
    /,
    *,
    output_dir: str,
    options: Annotated[AuditOptions, Parameter(name="*")] = AuditOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Let a committee of reward models price every preference.

    Parameters
    ----------
    files
        Data files (json, jsonl, csv, parquet, gzipped or not), folders of them, or hub:OWNER/NAME[:split].
    output_dir
        A new folder for signals.parquet, audit.json, report.html and committee/.
    json
        Print audit.json on standard output.
    """
    from plaudit.auditing.audit import audit as price
    from plaudit.auditing.rehearse import rehearse, show_plan
    from plaudit.auditing.show import show, show_checks
    from plaudit.report import terminal

    if options.dry_run:
        expected = rehearse(files, options, output_dir)
        terminal.document(expected) if json else show_plan(expected)
        return 0
    found = price(files, output_dir=output_dir, options=options, on_checks=None if json else show_checks)
    if json:
        terminal.document(found.summary)
    else:
        show(found.summary, files, output_dir, options.against)
    return 0
