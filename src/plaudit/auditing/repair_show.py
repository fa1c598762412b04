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
        left = [("not in the audit", n["unseen"])] if n["unseen"] else []
        left += [("rejected rows, copied", n["rejected"])] if n["rejected"] else []
        left += list(found.left.items())
        if left:
            terminal.table("left as they are", ["why", "count"], left)
        if found.columns:
            terminal.note(f"columns on every pair: {', '.join(found.columns)}")
    if options.dry_run and options.doubtful is not None:
        terminal.note(f"{found.doubtful:,} doubtful pairs would be written to {options.doubtful}")
    if not options.dry_run:
        _next(found, source, audit, options)


def _next(found: Repaired, source: str, audit: str, options: RepairOptions) -> None:
    """The commands to run next, as they would be typed."""
    suffix = "".join(Path(source).suffixes[-2 if source.lower().endswith(".gz") else -1 :])
    more = f" --layout {quote(options.layout)}" if options.layout else ""
    more += f" --columns {quote(options.columns)}" if options.columns else ""
    if options.doubtful is not None:
        back = f"--audit {quote(audit)}{more} --decisions {quote(str(options.doubtful))} --output decided{suffix}"
        terminal.note(f"{found.doubtful:,} doubtful pairs: fill in `decision` in {options.doubtful}, then")
        terminal.note(f"  plaudit repair {quote(source)} {back}")
    if found.caution:
        terminal.note(f"do not trust these changes yet: {found.caution}; look at pairs in the report and the ledger")
    if found.output:
        more = "" if options.as_pairs else more
        stem = Path(source).name.removesuffix(suffix)
        terminal.note(f"undo: plaudit repair --undo {quote(found.output)} --output {quote(f'{stem}.original{suffix}')}")
        model = quote(found.model.split(",")[0] or "minilm-l6")
        terminal.note(
            f"next: plaudit train {quote(found.output)}{more} --model {model} --output-dir {quote(f'{stem}.rm')}"
        )


def show_undone(source: str, output: str, header: Mapping[str, Any]) -> None:
    """Say what came back."""
    terminal.note(f"{output}: the original of {source}, {header['counts']['changed']:,} changed rows put back")
