"""One file per layout: recognise a row, parse it, and where it is also written: write and swap.

A layout declares `SPECIFICITY` (0 when absent): how sure it is once it recognises a row. `detect` asks the surest
first, so a layout with names of its own (40) goes before one whose names others use too (20), and that before the
plain forms of `prompt`, `chosen`, `rejected` (0). Adding a layout is adding one file.
"""

from collections import Counter
from functools import cache
from types import ModuleType

from plaudit import catalog


@cache
def by_priority() -> tuple[tuple[str, ModuleType], ...]:
    """Every layout, the most specific first, then by name."""
    parts = [(name, catalog.load(__name__, name)) for name in catalog.names(__name__)]
    return tuple(sorted(parts, key=lambda part: (-getattr(part[1], "SPECIFICITY", 0), part[0])))


def claim(row: dict) -> str | None:
    """The first layout by priority that recognises this row."""
    return next((name for name, part in by_priority() if part.recognises(row)), None)


def detect(rows: list[dict]) -> str | None:
    """The layout that claims most of these rows (on equal counts the one seen first); None when none claims any.

    >>> detect([{"prompt": "2+2?", "chosen": "4", "rejected": "5"}])
    'trl'
    >>> detect([{"some": "thing"}]) is None
    True
    """
    claims = Counter(name for row in rows if (name := claim(row)) is not None)
    return claims.most_common(1)[0][0] if claims else None
