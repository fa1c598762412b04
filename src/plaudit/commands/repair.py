"""`plaudit repair`: write what an audit found into a file, and take it out again."""

from typing import Annotated

from cyclopts import Parameter

from plaudit.auditing.options import RepairOptions


def repair(
    files: tuple[str, ...] = (),
    /,
    *,
    audit: str = "",
    treatment: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    output: str = "",
    undo: str = "",
    options: Annotated[RepairOptions, Parameter(name="*")] = RepairOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Flip, soften, drop or weigh preferences as an audit says; every change can be undone.

    Exit status 1 when decisions were given and not one of them could be applied.

    Parameters
    ----------
    files
        The file that was audited; it is never written to.
    audit
        Folder of the audit.
    treatment
        Treatments in order, such as flip:quantile=0.1, soften, margin, drop, or presets; the default is `default`.
    output
        New file of the same kind and layout, its ledger beside it. With --undo: where the original goes.
    undo
        A repaired file: write the original, from it and its ledger.
    json
        Print one JSON document on standard output.
    """
    from plaudit.auditing import repair as room
    from plaudit.auditing.repair_show import show, show_undone
    from plaudit.report import terminal

    if undo:
        _only_undo(files, audit, treatment, output, options)
        header = room.undo(undo, output=output)
        done = {"output": output, "layout": header["layout"], **header["counts"]}
        terminal.document(done) if json else show_undone(undo, output, header)
        return 0
    _complete(files, audit, treatment)
    found = room.repair(files[0], audit=audit, output=output or None, treatment=treatment, options=options)
    terminal.document(found.document()) if json else show(found, files[0], audit, options)
    return 1 if found.counts["decisions"] and not found.counts["decisions_applied"] else 0


def _complete(files: tuple[str, ...], audit: str, treatment: tuple[str, ...]) -> None:
    from pathlib import Path

    from plaudit.errors import OptionError

    mistakes = [f"--treatment {name}: that is a file; it goes before the options" for name in treatment
                if Path(name).is_file()]  # fmt: skip
    if len(files) != 1 and not mistakes:
        mistakes.append("name the file to repair" if not files else f"one file at a time, not {len(files)}")
    if not audit:
        mistakes.append("--audit is missing: the folder that plaudit audit wrote")
    if mistakes:
        advice = "plaudit repair FILE --audit D --output F, or plaudit repair --undo F --output G"
        raise OptionError(mistakes, advice=advice)


def _only_undo(
    files: tuple[str, ...], audit: str, treatment: tuple[str, ...], output: str, options: RepairOptions
) -> None:
    from plaudit.data.options import given as named
    from plaudit.errors import OptionError

    given = {"a file": files, "--audit": audit, "--treatment": treatment}
    used = [name.removeprefix("a ") for name, value in given.items() if value]
    used += [f"--{name.replace('_', '-')}" for name in named(options)]
    mistakes = [f"--undo takes no {name}" for name in used]
    if not output:
        mistakes.append("--output is missing: where the original is written")
    if mistakes:
        raise OptionError(mistakes, advice="plaudit repair --undo F --output G")
