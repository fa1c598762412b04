"""A repair on the screen: what was done, what stays as it is and why, and the command to run next."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from plaudit.auditing.options import RepairOptions
from plaudit.auditing.repair import Repaired
from plaudit.report import terminal

_WORDS = {
    "flip": "flipped", "soften": "softened", "margin": "given a margin", "weight": "weighed", "drop": "dropped",
    "tie": "made ties",
}  # fmt: skip
_SHOWN = 10  # decisions that were lost; all of them stand in the ledger


def show(found: Repaired, source: str, audit: str, options: RepairOptions) -> None:
    """Print the summary; the table on stdout, what to do next on stderr."""
    n = found.counts
    if found.output or options.dry_run:
        rows: list[tuple[str, Any]] = [("rows", n["rows"]), ("comparisons in the audit", n["comparisons"])]
        rows += [(word, n[name]) for name, word in _WORDS.items() if n[name]]
        rows += [("rows changed", n["changed"])]
        title = (
            f"{'would be ' if options.dry_run else ''}repaired: {', '.join(found.treatments) or 'nothing asked for'}"
        )
        terminal.table(title, ["", "count"], rows)
        unseen = "not in the audit" + (" (these keep their full weight)" if n["weight"] else "")
        left = [(unseen, n["unseen"])] if n["unseen"] else []
        left += [("rejected rows, copied", n["rejected"])] if n["rejected"] else []
        left += list(found.left.items())
        if left:
            terminal.table("left as they are", ["why", "count"], left)
        if found.unapplied:
            missed = [(some["what"], some["count"], some["why"]) for some in found.unapplied]
            terminal.table("ruled, but not applied", ["what", "count", "why"], missed)
        if found.columns:
            terminal.note(f"columns on every pair: {', '.join(found.columns)}")
        if found.empty:
            terminal.note(f"columns of the table in which no row was given a value: {', '.join(found.empty)}")
        _lost(found, source)
    if found.again:
        terminal.note(
            f"warning: {source} was repaired by this very audit before: what is softened or weighed is so once more "
            "(its ledger lies beside it; --undo gives the original back)"
        )
    if options.dry_run and options.doubtful is not None:
        terminal.note(f"{found.doubtful:,} doubtful pairs would be written to {options.doubtful}")
    if not options.dry_run:
        _next(found, source, audit, options)
    elif again := _as_pairs(found, source, audit, options):
        terminal.note(f"next: {again}")


def _lost(found: Repaired, source: str) -> None:
    """Warn of a person's decisions that did nothing, one by one."""
    n = found.counts
    if found.lost:
        what = "decision" if n["decisions"] == 1 else "decisions"
        terminal.note(f"warning: {len(found.lost):,} of {n['decisions']:,} {what} could not be applied:")
        shown = sorted(found.lost[:_SHOWN], key=lambda line: line["reason"])
        for before, line in zip([None, *shown], shown):
            if before is None or before["reason"] != line["reason"]:
                terminal.note(f"  {line['reason']}:")
            sides = f"{line['better']} over {line['worse']}"
            terminal.note(f"    {line['decision']} {line['id']} ({line['where']}, {sides})")
        more = f": see {found.ledger}" if found.output else " (--json lists all)"
        if len(found.lost) > _SHOWN:
            terminal.note(f"  and {len(found.lost) - _SHOWN:,} more{more}")
    if away := n["decisions_elsewhere"]:
        what = "decision is about a comparison" if away == 1 else "decisions are about comparisons"
        terminal.note(f"{away:,} {what} that {source} does not hold")


def _as_pairs(found: Repaired, source: str, audit: str, options: RepairOptions) -> str:
    """The command that writes each judgement as a pair of its own, where some could not hold what was ruled."""
    if options.as_pairs or not any("--as-pairs" in some["why"] for some in found.unapplied):
        return ""
    stem = _stem(source)
    first, source, suffix, more = _paired(found, source, options)
    if asked := [quote(name) for name in found.treatments if name != "decide"]:
        more += f" --treatment {' '.join(asked)}"
    more += f" --decisions {quote(str(options.decisions))}" if options.decisions else ""
    more += f" --strength {options.strength}" if options.strength != "auto" else ""
    more += f" --margin-sign {options.margin_sign}" if options.margin_sign != "negate" else ""
    target = quote(f"{stem}.pairs{suffix}")
    return f"{first}plaudit repair {quote(source)} --audit {quote(audit)}{more} --as-pairs --output {target}"


def _paired(found: Repaired, source: str, options: RepairOptions) -> tuple[str, str, str, str]:
    """For --as-pairs: a command that goes first (a table cannot hold pairs), the file, its ending, how it is read."""
    if found.form not in ("csv", "parquet"):
        return "", source, _ending(source), _reading(options)
    file = f"{_stem(source)}.canonical.jsonl"
    first = f"plaudit convert {quote(source)} --to canonical{_reading(options)} --output {quote(file)} && "
    return first, file, ".jsonl", ""


def _ending(source: str) -> str:
    return "".join(Path(source).suffixes[-2 if source.lower().endswith(".gz") else -1 :])


def _stem(source: str) -> str:
    return Path(source).name.removesuffix(_ending(source))


def _reading(options: RepairOptions) -> str:
    """How the file is to be read, as options."""
    more = f" --layout {quote(options.layout)}" if options.layout else ""
    return more + (f" --columns {quote(options.columns)}" if options.columns else "")


def _next(found: Repaired, source: str, audit: str, options: RepairOptions) -> None:
    """The commands to run next, as they would be typed."""
    suffix, stem, more = _ending(source), _stem(source), _reading(options)
    if options.doubtful is not None and not found.doubtful:
        terminal.note(f"no pair is doubtful by that measure: {options.doubtful} was not written")
    elif options.doubtful is not None:
        first, file, ending, how = _paired(found, source, options) if found.in_lists else ("", source, suffix, more)
        how += " --as-pairs" if found.in_lists else ""
        back = f"--audit {quote(audit)}{how} --decisions {quote(str(options.doubtful))} --output decided{ending}"
        terminal.note(f"{found.doubtful:,} doubtful pairs: fill in `decision` in {options.doubtful}, then")
        terminal.note(f"  {first}plaudit repair {quote(file)} {back}")
    if found.caution:
        terminal.note(f"do not trust these changes yet: {found.caution}; look at pairs in the report and the ledger")
    if found.output:
        more = "" if options.as_pairs else more
        terminal.note(f"undo: plaudit repair --undo {quote(found.output)} --output {quote(f'{stem}.original{suffix}')}")
        model = quote(found.model.split(",")[0] or "minilm-l6")
        train = f"plaudit train {quote(found.output)}{more} --model {model} --output-dir {quote(f'{stem}.rm')}"
        again = _as_pairs(found, source, audit, options)
        terminal.note(f"next: {again}" if again else f"next: {train}")
        if again:
            terminal.note(f"or, without what was not applied: {train}")


def show_undone(source: str, output: str, header: Mapping[str, Any]) -> None:
    """Say what came back."""
    terminal.note(f"{output}: the original of {source}, {header['counts']['changed']:,} changed rows put back")
