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
    """The prompt groups in a scorer's training data, and how often they were met, file by file (or suite by suite).

    `stages`: what makes a group, and the groups, of its training and of those that made what it began from; None when
    the scorer does not say.
    """

    stages: tuple[tuple[GroupBy, frozenset[int]], ...] | None
    rows: Counter[str] = field(default_factory=Counter)
    met: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, handle: Handle | None) -> "Trained":
        """From the `plaudit.json` beside the weights; a scorer that has none does not say."""
        path = Path(handle.name).expanduser() / "plaudit.json" if handle else Path()
        if not path.is_file():
            return cls(None)
        try:
            kept = json.loads(path.read_bytes()).get("groups") or {}
            stages = [kept, *kept.get("before", [])] if kept else []
            found = tuple((s.get("by", "auto"), frozenset(int(g, 16) for g in s["train"])) for s in stages)
            return cls(found or None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlauditError(f"{path}: its training groups cannot be read: {error}") from error

    def look(self, preference: Preference, where: str) -> None:
        """Note a preference of the file or suite named `where`."""
        for by, known in self.stages or ():
            group = group_digest(preference, by) if known else 0
            if group in known:
                self.rows[where] += 1
                self.met.setdefault(where, set()).add(group)
                return

    def counts(self) -> dict[str, Any] | None:
        """Prompt groups and rows met, in all and by file; a file without any is left out."""
        if self.stages is None:
            return None
        files = {name: {"groups": len(self.met[name]), "rows": rows} for name, rows in self.rows.items()}
        return {"groups": len(set().union(*self.met.values())), "rows": self.rows.total(), "files": files}
