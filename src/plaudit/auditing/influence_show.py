"""FairIF on the screen: what each penalty buys and costs."""

from typing import Any

from numpy.typing import NDArray

from plaudit.auditing.influence import Rows
from plaudit.auditing.influence_fair import FairIF, standing
from plaudit.report import terminal


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
