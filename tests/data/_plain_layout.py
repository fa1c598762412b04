"""The smallest layout there is, so that tests of the reader hang on no other file: prompt, chosen, rejected as text."""

from types import SimpleNamespace

from plaudit.data import read as reader
from plaudit.errors import DataError
from plaudit.records import pair


def detect(rows):
    return "plain" if any({"prompt", "chosen", "rejected"} & set(row) for row in rows) else None


def parse(row, *, where):
    for name in ("prompt", "chosen", "rejected"):
        if name not in row:
            raise DataError(where, f"no {name!r}")
        if not isinstance(row[name], str):
            raise DataError(where, f"{name!r} is {type(row[name]).__name__}, not text")
    yield pair(row["prompt"], row["chosen"], row["rejected"], id=str(row.get("id", "")), source=where)


def use(monkeypatch):
    """Make the reader know this layout only."""
    monkeypatch.setattr(reader.layouts, "detect", detect, raising=False)
    monkeypatch.setattr(reader.catalog, "load", lambda room, name: SimpleNamespace(parse=parse))
