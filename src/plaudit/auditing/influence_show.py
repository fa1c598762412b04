"""Influence and FairIF on the screen: whom a head serves how well, what each penalty buys and costs."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from plaudit.auditing.influence import Rows
from plaudit.auditing.influence_fair import FairIF, standing
from plaudit.report import terminal
from plaudit.report.pages import audit_words as words

GROUPS = 24  # groups in the table of an audit


def fairness_table(
    found: FairIF, rows: Rows, kind: NDArray, clusters: NDArray
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of the fairness / utility table, plain first, then one line a penalty.

    `rows`, `kind`, `clusters` [T]: comparisons that neither training nor validation has seen, their groups and prompt
    groups. Validation rows may be given, but the weights were made to suit them.
    """
    heads = [("plain", None, found.head), *((f"penalty {t.penalty:g}", t, t.head) for t in found.trials)]
    out: list[tuple[Any, ...]] = []
    for name, trial, head in heads:
        s = standing(head, rows, kind, clusters)
        weights = "" if trial is None else f"{trial.fair.weight.min():.2f}-{trial.fair.weight.max():.2f}"
        out.append((
            name, weights, *(float(v) for v in s.loss), s.loss_gap, *(float(v) for v in s.accuracy), s.accuracy_gap,
            s.overall, f"{s.interval.low:.3f}-{s.interval.high:.3f}",
        ))  # fmt: skip
    names = s.names
    columns = ["", "weights", *(f"loss, {n}" for n in names), "gap", *(f"accuracy, {n}" for n in names), "gap"]
    return [*columns, "accuracy", "95 %"], out


def show_fairness(found: FairIF, rows: Rows, kind: NDArray, clusters: NDArray) -> None:
    """Print the table, and which groups were too small to take part."""
    columns, lines = fairness_table(found, rows, kind, clusters)
    terminal.table("fair weights: groups before and after", columns, lines)
    if found.small:
        terminal.note("too few validation rows, left out: " + ", ".join(found.small))


def show_influence(found: Mapping[str, Any]) -> None:
    """Print what audit.json says of influence, and of fair weights when they were asked for."""
    terminal.note(
        f"influence is that of {found['head']}, whatever votes: without {found['harmful']:.1%} of the comparisons the "
        f"loss on other prompts would be lower; {words.top(found['top'])}"
    )
    fair = found["fair"]
    if fair is None:
        return
    if fair["groups"]:
        groups = list(fair["groups"].items())
        terminal.table(
            f"groups by {fair['by']}, served by heads that never saw them, without and with fair weights",
            ["group", "comparisons", "loss", "with weights", "agreement", "with weights"],
            [(name, g["n"], g["loss"], g["loss_after"], g["accuracy"], g["accuracy_after"])
             for name, g in groups[:GROUPS]],
        )  # fmt: skip
        if len(groups) > GROUPS:
            terminal.note(f"and {len(groups) - GROUPS:,} more groups in audit.json")
        terminal.table(
            "what fair weights buy and cost",
            ["", "weights", "gap in loss", "change, 95 %", "gap in agreement", "agreement", "more than without, 95 %"],
            [_offer(o, fair["penalty"]) for o in fair["offers"]],
        )  # fmt: skip
    for text in words.fair_notes(fair):
        terminal.note(text)


def _offer(offer: Mapping[str, Any], written: float) -> tuple[Any, ...]:
    ahead = f"{100 * offer['ahead']['low']:+.1f} to {100 * offer['ahead']['high']:+.1f} points"
    change = f"{offer['loss_gap_change']['low']:+.3f} to {offer['loss_gap_change']['high']:+.3f}"
    change = "" if offer["penalty"] is None else change
    return (
        words.offer(offer["penalty"], written), f"{offer['lightest']:.2f}-{offer['heaviest']:.2f}", offer["loss_gap"],
        change, offer["accuracy_gap"], offer["accuracy"]["score"], "" if offer["penalty"] is None else ahead,
    )  # fmt: skip
