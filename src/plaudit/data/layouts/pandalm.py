"""PandaLM: `instruction`, `input`, `response1`, `response2` and three annotators' votes (0 tie, 1 first, 2 second).

A row gives one preference per annotator.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, maybe, text, whole
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("response1", "response2")
_RANKS = {0: (0, 0), 1: (0, 1), 2: (1, 0)}
_SWAPPED = {0: 0, 1: 2, 2: 1}


def recognises(row: Row) -> bool:
    return all(key in row for key in ("instruction", "response1", "response2", "annotator1"))


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    asked, given = filled(row, "instruction", where), maybe(row, "input", where)
    prompt = (message("user", f"{asked}\n{given}" if given else asked),)
    sides = tuple((message("assistant", text(row, name, where)),) for name in _NAMES)
    votes = [name for name in row if name.startswith("annotator") and name[9:].isdigit() and row[name] is not None]
    found = []
    for name in votes:
        vote = whole(row, name, where)
        if vote not in _RANKS:
            raise DataError(where, f"{name} is {vote}, not 0, 1 or 2")
        found.append(judged(row, where, prompt, sides, _RANKS[vote], names=_NAMES, annotator=name))
    if not found:
        raise DataError(where, "no annotator voted")
    return found


def swap(row: Row, record: Preference) -> Row:
    """Only this record's annotator changes the vote."""
    row[record.annotator] = _SWAPPED[int(float(row[record.annotator]))]
    return row
