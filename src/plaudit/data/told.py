"""Say which layout was recognised: a file that is read as something else is noticed before hours are spent on it."""

import os
from collections.abc import Iterable, Iterator

from plaudit.data.read import Row
from plaudit.report.terminal import clean, note


def told(rows: Iterable[Row], layout: str | None = None) -> Iterator[Row]:
    """The rows as they come; a note on stderr at the first one of a file, and at each whose layout is another.

    Nothing is said where the user named the `layout`, and by one process of several only.
    """
    last = ("", "")
    for row in rows:
        if row.layout and layout is None:
            now = row.where.rpartition(":")[0], row.layout
            if now != last and os.environ.get("RANK", "0") == "0":
                note(f"{clean(now[0])}: layout {now[1]}")
            last = now
        yield row
