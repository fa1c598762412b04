"""What suites share: their files, compressed or not, and what of their rows can be scored."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.errors import DataError
from plaudit.records import Preference


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, row) of every JSON array under a folder, files in the order of their paths.

    A file and its compressed twin count once.
    """
    seen: set[str] = set()
    for path in sorted(p for p in folder.rglob("*") if p.name.endswith((".json", ".json.gz"))):
        name = str(path).removesuffix(".gz")
        if name in seen or path.name.startswith("."):
            continue
        seen.add(name)
        for number, row in enumerate(array(path), 1):
            yield f"{path.relative_to(folder.parent)}:{number}", row


def array(path: Path) -> list[dict[str, Any]]:
    """A JSON array of objects."""
    try:
        raw = path.read_bytes()
        rows = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise DataError(str(path), f"cannot be read: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(str(path), "a JSON array of objects is wanted")
    return rows


@dataclass(frozen=True)
class Held:
    """The rows a suite's folder holds."""

    items: Sequence[Preference]

    def rows(self, section: str) -> int:
        """How many lie under a section."""
        return sum(p.tags["leaf"].startswith(section + "/") for p in self.items)

    def withheld(self, section: str) -> int:
        """How many of them have no text."""
        return sum(p.tags["leaf"].startswith(section + "/") and is_withheld(p) for p in self.items)


def is_withheld(item: Preference) -> bool:
    """Whether the row's texts are not in the files, so that only stored scores can grade it."""
    return item.tags.get("withheld") == "yes"
