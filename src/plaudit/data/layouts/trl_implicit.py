"""TRL implicit: `chosen` and `rejected` hold whole conversations; their longest common run of turns is the prompt.

RLHFlow's data sets and OpenRLHF without a prompt key look the same.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, is_turns, side
from plaudit.data.layouts._pairs import (
    PAIR_FIELDS,
    beside,
    exchange,
    judged,
    plain,
    refuse,
    refuse_raw,
    shared_turns,
    sides,
)
from plaudit.errors import DataError
from plaudit.records import Preference, Record

HOLDS = PAIR_FIELDS
READ_BY_TOOL = frozenset({"margin"})
PARQUET = {"chosen": "messages", "rejected": "messages"}


def recognises(row: Row) -> bool:
    return is_turns(row.get("chosen")) and is_turns(row.get("rejected")) and row.get("prompt") in (None, "", [])


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    chosen, rejected = side(row, "chosen", where), side(row, "rejected", where)
    cut = shared_turns(chosen, rejected, where)
    return (judged(row, where, chosen[:cut], (chosen[cut:], rejected[cut:])),)


def write(record: Record) -> Row:
    record, chosen, rejected = sides(record)
    refuse_raw(record)
    chosen, rejected = record.prompt + chosen, record.prompt + rejected
    try:
        cut = shared_turns(chosen, rejected, "")
    except DataError:
        cut = -1
    if cut != len(record.prompt):
        raise refuse(record, "a prompt whose end could not be told from the two conversations")
    # TRL fails on a batch in which only some rows have a margin, so every row has one.
    return {"chosen": plain(chosen), "rejected": plain(rejected), **beside(record), "margin": record.margin}


def swap(row: Row, record: Preference) -> Row:
    return exchange(row, ("chosen", "rejected"))
