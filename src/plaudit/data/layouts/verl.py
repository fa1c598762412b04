"""verl parquet: `prompt` and `reward_model` with a ground truth. It holds no preference, and reading it says so."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return "data_source" in row and "prompt" in row and isinstance(row.get("reward_model"), dict)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    raise DataError(where, "a verl row holds a prompt and its ground truth, but no response and no preference")
