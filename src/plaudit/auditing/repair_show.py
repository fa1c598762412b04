"""A repair on the screen: what was done, what stays as it is and why, and the command to run next."""

from collections.abc import Mapping
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
    if options.doubtful is not None and not options.dry_run:
        terminal.note(f"{found.doubtful:,} doubtful pairs: fill in `decision` in {options.doubtful}, then")
        terminal.note(
            f"  plaudit repair {source} --audit {audit} --decisions {options.doubtful} --output decided.jsonl"
        )
    if found.output and not options.dry_run:
        more = f" --columns {options.columns}" if options.columns else ""
        terminal.note(f"undo: plaudit repair --undo {found.output} --output original")
        terminal.note(f"next: plaudit train {found.output}{more} --model M --output-dir D")


def show_undone(source: str, output: str, header: Mapping[str, Any]) -> None:
    """Say what came back."""
    terminal.note(f"{output}: the original of {source}, {header['counts']['changed']:,} changed rows put back")
