"""What a scorer was trained on: its prompt groups, and how many of the rows it is judged by it has seen."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from plaudit.data.split import GroupBy, group_digest
from plaudit.errors import PlauditError
from plaudit.records import Preference
from plaudit.rewards.load import Handle


@dataclass
class Trained:
    """The prompt groups in a scorer's training data, and how often they were met."""

    groups: frozenset[int] | None
    by: GroupBy = "auto"
    rows: int = 0
    met: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, handle: Handle | None) -> "Trained":
        """From the `plaudit.json` beside the weights; a scorer that has none does not say."""
        path = Path(handle.name) / "plaudit.json" if handle else Path()
        if not path.is_file():
            return cls(None)
        try:
            kept = json.loads(path.read_bytes()).get("groups") or {}
            return cls(frozenset(int(g, 16) for g in kept["train"]), kept.get("by", "auto")) if kept else cls(None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlauditError(f"{path}: its training groups cannot be read: {error}") from error

    def look(self, preference: Preference) -> None:
        if self.groups:
            group = group_digest(preference, self.by)
            if group in self.groups:
                self.rows += 1
                self.met.add(group)

    def counts(self) -> dict[str, int] | None:
        return None if self.groups is None else {"groups": len(self.met), "rows": self.rows}
