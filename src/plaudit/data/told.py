"""Say which layout was recognised: a file that is read as something else is noticed before hours are spent on it."""

import os
from collections.abc import Iterable, Iterator

from plaudit.data.read import Row
from plaudit.report.terminal import clean, note


def told(rows: Iterable[Row], layout: str | None = None) -> Iterator[Row]:
    """The rows as they come; a note on stderr at the first one, and at each whose layout is not the one before.

    Nothing is said where the user named the `layout`, and by one process of several only.
    """
    last = layout
    for row in rows:
        if row.layout and row.layout != last and layout is None:
            last = row.layout
            if os.environ.get("RANK", "0") == "0":
                note(f"{clean(row.where.rpartition(':')[0])}: layout {last}")
        yield row
