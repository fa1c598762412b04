"""AlpacaEval annotations: `instruction`, `output_1`, `output_2` and `preference` from 1 to 2, a soft label.

`preference` - 1 is the probability that the second wins; 1.5, and 0 in older files, are ties. A `target` beside it
goes before it.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, mirrored, number, text
from plaudit.data.layouts._pairs import in_order, judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("output_1", "output_2")


def recognises(row: Row) -> bool:
    return "instruction" in row and "preference" in row and all(name in row for name in _NAMES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    value = number(row, "preference", where)
    if value == 0:
        value = 1.5
    if not 1 <= value <= 2:
        raise DataError(where, f"preference is {value:g}, outside 1..2")
    prompt = (message("user", filled(row, "instruction", where)),)
    sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
    second = value - 1
    soft = {} if second == 0.5 or row.get("target") is not None else {"target": max(second, 1 - second)}
    tags = {name: str(row[name]) for name in ("generator_1", "generator_2") if row.get(name)}
    return (judged(row, where, prompt, sides, in_order(1 - second, second), names=_NAMES, tags=tags, **soft),)


def swap(row: Row, record: Preference) -> Row:
    """The label is mirrored at 1.5; between 1 and 2 that is exact in floating point, so twice is the same number."""
    if float(row["preference"]) != 0:
        row["preference"] = mirrored(row["preference"], 3)
    return row
