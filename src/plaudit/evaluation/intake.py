"""Rows to preferences, with a count of whatever came of each row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plaudit.errors import PlauditError
from plaudit.records import Preference
from plaudit.rewards.stream import place

if TYPE_CHECKING:
    from plaudit.data.read import Row

SHOWN = 100


@dataclass
class Intake:
    """What was read so far. rows = kept + rejected; a kept row may hold several preferences, or steps."""

    rows: int = 0
    kept: int = 0
    rejected: int = 0
    preferences: int = 0
    responses: int = 0
    steps: int = 0
    characters: int = 0
    not_scored: int = 0
    cut: int = 0
    rejects: list[dict[str, str]] = field(default_factory=list)
    shortened: list[str] = field(default_factory=list)

    def preferences_of(self, rows: "Iterable[Row]") -> Iterator[Preference]:
        """The preferences of the rows, in order; everything is counted, the first 100 faults are kept."""
        for row in rows:
            self.rows += 1
            self.kept += row.kept
            self.rejected += not row.kept
            if row.reason is not None and len(self.rejects) < SHOWN:
                self.rejects.append({"where": row.where, "reason": row.reason})
            for record in row.records:
                if isinstance(record, Preference):
                    self.preferences += 1
                    self.responses += len(record.responses)
                    self.characters += characters(record)
                    yield record
                else:
                    self.steps += 1

    def counts(self) -> dict[str, int]:
        names = ("rows", "kept", "rejected", "preferences", "responses", "steps", "not_scored", "cut")
        return {name: getattr(self, name) for name in names}

    def leave(self, preference: Preference, reason: str) -> None:
        """A preference that was read but that the scorer cannot take."""
        self.not_scored += 1
        if len(self.rejects) < SHOWN:
            self.rejects.append({"where": place(preference), "reason": reason})

    def shorten(self, preference: Preference) -> None:
        """A preference whose prompt lost its oldest turns, because the scorer cannot read all of it."""
        self.cut += 1
        if len(self.shortened) < SHOWN:
            self.shortened.append(place(preference))

    def refuse_nothing(self) -> None:
        """An error when no preference was found at all, or none that the scorer can take."""
        if self.preferences > self.not_scored:
            return
        if self.rejects:
            raise PlauditError(f"{self.rejects[0]['where']}: {self.rejects[0]['reason']}", advice="no row can be used")
        what = f"only {self.steps} step-by-step solutions" if self.steps else "no rows"
        raise PlauditError(f"nothing to score: {what} here", advice="`plaudit inspect` shows what the files hold")


def characters(preference: Preference) -> int:
    """Characters that one preference shows to a scorer, its prompt once."""
    turns = [*preference.prompt, *(turn for response in preference.responses for turn in response)]
    return sum(len(turn.text) for turn in turns)
