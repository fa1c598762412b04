"""TRL tokenised: `chosen_ids`, `rejected_ids` (older: `chosen_input_ids`, `input_ids_j`). Ids are no text: refused."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row
from plaudit.errors import DataError
from plaudit.records import Preference

SPECIFICITY = -20
_NAMES = ("chosen_ids", "chosen_input_ids", "input_ids_j", "input_ids_chosen")


def recognises(row: Row) -> bool:
    return any(isinstance(row.get(name), list) for name in _NAMES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    raise DataError(where, "the row holds token ids of some tokenizer, not text; read the file they were made from")
