"""RewardBench v1: text `prompt`, `chosen`, `rejected`, with `subset`, `id`, and the models that answered."""

from plaudit.data.layouts._fields import Row
from plaudit.data.layouts._pairs import exchange
from plaudit.data.layouts.trl import parse
from plaudit.records import Preference

SPECIFICITY = 20
__all__ = ["parse", "recognises", "swap"]


def recognises(row: Row) -> bool:
    texts = all(isinstance(row.get(name), str) for name in ("prompt", "chosen", "rejected", "subset"))
    return texts and "id" in row


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"), ("chosen_model", "rejected_model"))
