"""Numbers of any shape as small tables: what a check found, however it chose to say it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plaudit.report.pages.frame import Visible, name, number, visible

ROWS, COLUMNS, LISTED = 24, 9, 8


@dataclass(frozen=True)
class Grid:
    """A table: a caption (may be empty), column heads, rows of cells, and how many rows are not shown."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int


def grids(value: Mapping[str, Any]) -> list[Grid]:
    """Plain values first, in one table; then a table for each mapping of mappings, list of mappings, or mapping.

    >>> found = grids({"n": 3, "by": {"a": {"x": 1, "y": 0.5}, "b": {"x": 2}}})
    >>> [(g.caption, g.columns, g.rows) for g in found][1]
    ('by', ('', 'x', 'y'), (('a', '1', '0.500'), ('b', '2', '–')))
    """
    plain = [(k, v) for k, v in value.items() if not _nested(v)]
    out = [_two_columns("", plain)] if plain else []
    if _table_like(value) and not plain:
        return [_wide("", value)]
    return out + [_grid(str(k), v) for k, v in value.items() if _nested(v) and v]


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value)
    )


def _table_like(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(v, Mapping) for v in value.values())


def _grid(caption: str, value: Any) -> Grid:
    if isinstance(value, Mapping):
        return _wide(caption, value) if _table_like(value) else _two_columns(caption, list(value.items()))
    rows = {str(i + 1): v if isinstance(v, Mapping) else {"": v} for i, v in enumerate(value)}
    return _wide(caption, rows)


def _two_columns(caption: str, items: list[tuple[str, Any]]) -> Grid:
    rows = tuple((_label(k), _cell(v)) for k, v in items[:ROWS])
    return Grid(_label(caption), (), rows, len(items) - len(rows))


def _wide(caption: str, rows: Mapping[str, Mapping[str, Any]]) -> Grid:
    keys = list(dict.fromkeys(k for row in rows.values() for k in row))[:COLUMNS]
    shown = list(rows.items())[:ROWS]
    cells = tuple((name(k), *(_cell(row.get(c)) for c in keys)) for k, row in shown)
    return Grid(_label(caption), ("", *map(_label, keys)), cells, len(rows) - len(cells))


def _label(key: Any) -> Visible:
    return name(str(key).replace("_", " "))


def _cell(value: Any) -> str:
    if isinstance(value, str | int | float) or value is None:
        return name(value) if isinstance(value, str) else number(value)
    if isinstance(value, list | tuple) and not any(isinstance(v, list | tuple | Mapping) for v in value):
        left = len(value) - LISTED
        return Visible(", ".join(_cell(v) for v in value[:LISTED]) + (f" and {left:,} more" if left > 0 else ""))
    return visible(json.dumps(value, ensure_ascii=True, default=str), 200)
