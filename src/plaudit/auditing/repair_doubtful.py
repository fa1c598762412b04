"""The pairs that a person should look at, as lines to read and to fill in: what `--decisions` takes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.data import ledger
from plaudit.data.patch_files import parts
from plaudit.data.patch_rows import tidy
from plaudit.records import Conversation, Preference
from plaudit.signals.votes import Signals


@dataclass(frozen=True)
class Doubtful:
    """Which comparisons are doubtful: chance of disagreement above `above`, else by verdict."""

    above: float | None = None

    def __call__(self, signals: Signals, row: int) -> bool:
        if self.above is not None:
            return bool(signals["p_disagree"][row] > self.above)
        return str(signals["verdict"][row]) in ("wrong", "ambiguous")


def line_of(preference: Preference, row: int, signals: Signals) -> dict[str, Any]:
    """One comparison with its texts, its signals, and an empty decision. Its id is the audit's: decisions go by it."""
    better, worse = int(signals["better"][row]), int(signals["worse"][row])
    return {
        "id": str(signals["id"][row]), "better": better, "worse": worse, "prompt": _text(preference.prompt),
        "chosen": _text(preference.responses[better]), "rejected": _text(preference.responses[worse]),
        "p_disagree": tidy(signals["p_disagree"][row]), "mean": tidy(signals["mean"][row]),
        "std": tidy(signals["std"][row]), "verdict": str(signals["verdict"][row]),
        "source": str(signals["source"][row]) if "source" in signals else "", "decision": "",
    }  # fmt: skip


def _text(turns: Conversation) -> str:
    """Turns as a person reads them; the role stands before each when there are several."""
    if len(turns) == 1:
        return turns[0].text
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)


def export(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Write them to a new file, the most doubtful first."""
    with parts(path) as (out,):
        for found in sorted(lines, key=lambda found: (-found["p_disagree"], found["id"])):
            out.write(ledger.line(found))
