"""Numbers of any shape as small tables: what a check found, however it chose to say it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plaudit.report.pages.frame import NOTHING, Figure, Visible, name, number, share, visible

ROWS, COLUMNS, LISTED, TABLES = 24, 9, 8, 12
SHARES, ESTIMATES = ("share", "rate", "score"), ("estimate", "mean")


@dataclass(frozen=True)
class Grid:
    """A table: a caption (may be empty), column heads, rows of cells, and how many rows are not shown."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int


def grids(value: Mapping[str, Any]) -> list[Grid]:
    """Plain values in one table, then a table for each mapping of mappings, list of mappings, or mapping.

    An estimate and its interval are one cell, whether they stand as `x, x_low, x_high` or as `{share, low, high, n}`.
    Plain values that are not known are left out; tables of tables become one each, twelve at most.

    >>> found = grids({"n": 3, "by": {"a": {"x": 1, "y": 0.5}, "b": {"x": 2}}})
    >>> [(g.caption, g.columns, g.rows) for g in found][1]
    ('by', ('', 'x', 'y'), (('a', '1', '0.500'), ('b', '2', '–')))
    >>> grids({"alpha": 0.8, "alpha_low": 0.7, "alpha_high": 0.9})[0].rows
    (('alpha', '0.800 (0.700 to 0.900)'),)
    """
    value = _joined(value)
    if value and all(_is_row(v) and not any(map(_is_row, v.values())) for v in value.values()):
        return [_wide("", value)]
    plain = [(k, v) for k, v in value.items() if not _nested(v) and _cell(v) != NOTHING]
    out = [_two_columns("", plain)] if plain else []
    return [*out, *(grid for k, v in value.items() if _nested(v) and v for grid in _grids(k, v))][:TABLES]


def _joined(value: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with every `x, x_low, x_high` as one text."""
    ends = {k for k in value if f"{k}_low" in value and f"{k}_high" in value}
    inside = {f"{k}{end}" for k in ends for end in ("_low", "_high")}
    return {
        str(k): _interval(v, value[f"{k}_low"], value[f"{k}_high"]) if k in ends else v
        for k, v in value.items() if k not in inside
    }  # fmt: skip


def _interval(middle: Any, low: Any, high: Any) -> Any:
    return None if middle is None else Figure(f"{_cell(middle)} ({_cell(low)} to {_cell(high)})")


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and _estimate(value) is None


def _estimate(value: Any) -> Visible | None:
    """A mapping that is nothing but an estimate with its interval, as a text."""
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value):
        return None
    rest = [k for k in value if k not in ("low", "high", "n")]
    if len(rest) != 1 or rest[0] not in SHARES + ESTIMATES:
        return None
    three = [value[k] for k in (rest[0], "low", "high")]
    if three[0] is None:
        return Figure(NOTHING)
    middle, low, high = map(share if rest[0] in SHARES else _cell, three)
    of = f", n = {_cell(value['n'])}" if "n" in value else ""
    return Figure(f"{middle} ({low.removesuffix(' %')} to {high.removesuffix(' %')}){of}")


def _nested(value: Any) -> bool:
    return _is_row(value) or (isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value))


def _grids(caption: str, value: Any) -> list[Grid]:
    if isinstance(value, Mapping) and all(_is_row(v) and v and all(map(_is_row, v.values())) for v in value.values()):
        return [grid for k, v in value.items() for grid in _grids(f"{caption}: {k}", v)]
    return [_grid(caption, value)]


def _grid(caption: str, value: Any) -> Grid:
    if not isinstance(value, Mapping):
        return _wide(caption, {str(i + 1): v if isinstance(v, Mapping) else {"": v} for i, v in enumerate(value)})
    value = _joined(value)
    return (
        _wide(caption, value) if all(_is_row(v) for v in value.values()) else _two_columns(caption, list(value.items()))
    )


def _two_columns(caption: str, items: list[tuple[str, Any]]) -> Grid:
    rows = tuple((_label(k), _cell(v)) for k, v in items[:ROWS])
    return Grid(_label(caption), (), rows, len(items) - len(rows))


def _wide(caption: str, rows: Mapping[str, Mapping[str, Any]]) -> Grid:
    shown = [(k, _joined(row)) for k, row in list(rows.items())[:ROWS]]
    keys = list(dict.fromkeys(k for _, row in shown for k in row))[:COLUMNS]
    cells = tuple((name(k), *(_cell(row.get(c)) for c in keys)) for k, row in shown)
    return Grid(_label(caption), ("", *map(_label, keys)), cells, len(rows) - len(cells))


def _label(key: str) -> Visible:
    return name(key.replace("_", " "))


def _inline(value: Mapping[str, Any]) -> Visible:
    """A small mapping within a cell: a part with its share, or names and values."""
    if set(value) == {"part", "share"}:
        return Visible(f"{name(value['part'])} ({share(value['share'])})")
    return Visible(", ".join(f"{_label(k)} {_cell(v)}" for k, v in list(value.items())[:LISTED]))


def _cell(value: Any) -> str:
    if value is None:
        return Figure(NOTHING)
    if isinstance(value, Visible):
        return value
    if isinstance(value, str):
        return visible(value, 200)
    if isinstance(value, int | float):
        return Figure(number(value))
    if isinstance(value, list | tuple) and not any(isinstance(v, list | tuple | Mapping) for v in value):
        if not value:
            return Visible("none")
        left = len(value) - LISTED
        return Visible(", ".join(_cell(v) for v in value[:LISTED]) + (f" and {left:,} more" if left > 0 else ""))
    if isinstance(value, Mapping) and value and not any(isinstance(v, list | tuple | Mapping) for v in value.values()):
        return _estimate(value) or _inline(value)
    return _estimate(value) or visible(json.dumps(value, ensure_ascii=True, default=str), 200)
