"""What a scorer was trained on: its prompt groups, and how many of the rows it is judged by it has seen."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plaudit.data.split import GroupBy, group_digest
from plaudit.errors import PlauditError
from plaudit.records import Preference
from plaudit.rewards.load import Handle


@dataclass
class Trained:
    """The prompt groups in a scorer's training data, and how often they were met, file by file (or suite by suite)."""

    groups: frozenset[int] | None
    by: GroupBy = "auto"
    rows: Counter[str] = field(default_factory=Counter)
    met: dict[str, set[int]] = field(default_factory=dict)

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

    def look(self, preference: Preference, where: str) -> None:
        """Note a preference of the file or suite named `where`."""
        if self.groups:
            group = group_digest(preference, self.by)
            if group in self.groups:
                self.rows[where] += 1
                self.met.setdefault(where, set()).add(group)

    def counts(self) -> dict[str, Any] | None:
        """Prompt groups and rows met, in all and by file; a file without any is left out."""
        if self.groups is None:
            return None
        files = {name: {"groups": len(self.met[name]), "rows": rows} for name, rows in self.rows.items()}
        return {"groups": len(set().union(*self.met.values())), "rows": self.rows.total(), "files": files}
