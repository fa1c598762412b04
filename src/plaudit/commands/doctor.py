"""`plaudit doctor`: the same number everywhere, or why not."""

from typing import Annotated

from cyclopts import Parameter

from plaudit.doctor.options import DoctorOptions


def doctor(
    checkpoint: str,
    /,
    *,
    options: Annotated[DoctorOptions, Parameter(name="*")] = DoctorOptions(),  # noqa: B008
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Prove that a checkpoint gives the same number everywhere, or say why not.

    A fixed dozen of conversations is scored in every way in which others read the same files; known silent defects are
    looked for. Exit status 1 when anything fails, 2 when nothing can be loaded.

    Parameters
    ----------
    checkpoint
        A checkpoint folder, an embedded model or a hub id.
    json
        Print one JSON document on standard output.
    """
    from plaudit.doctor.examine import examine
    from plaudit.report import terminal

    only = [name.strip() for name in options.only.split(",") if name.strip()]
    report = examine(checkpoint, **{**options.model_dump(), "only": only})
    if json:
        terminal.document(report.document())
    else:
        rows = [
            (c.name, c.status, "" if c.deviation is None else f"{c.deviation:.1e}", c.advice) for c in report.checks
        ]
        about = f"{report.checkpoint}: {report.family}, {report.dtype}, {report.sequences} sequences"
        terminal.table(about, ("check", "status", "deviation", "what to know or do"), rows)
        failed = [c.name for c in report.checks if c.status == "fail"]
        print(f"{len(failed)} failed: {', '.join(failed)}" if failed else f"healthy: {report.held()}; no defect found")
    return 0 if report.ok else 1
