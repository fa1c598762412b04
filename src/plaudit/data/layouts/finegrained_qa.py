"""Fine-grained QA feedback: four predictions and six comparisons (`preference`: 1 first, 2 second, 0 none) a row.

The comparisons run 1v2, 1v3, 1v4, 2v3, 2v4, 3v4; each gives one preference.
"""

from collections.abc import Iterable
from itertools import combinations

from plaudit.data.layouts._fields import Row, filled, items, kind, text, whole
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, conversation_digest, digest, message

SPECIFICITY = 40
_COMPARISONS = tuple(combinations((1, 2, 3, 4), 2))
_RANKS = {0: (0, 0), 1: (0, 1), 2: (1, 0)}


def recognises(row: Row) -> bool:
    return "question" in row and "prediction 1" in row and isinstance(row.get("preference"), list)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    question = filled(row, "question", where)
    passages = items(row, "passages", where) if row.get("passages") else ()
    context = "\n\n".join(_passage(found, where) for found in passages)
    prompt = (message("user", f"{context}\n\n{question}" if context else question),)
    answers = {i: (message("assistant", text(row, f"prediction {i}", where)),) for i in (1, 2, 3, 4)}
    votes = items(row, "preference", where)
    if len(votes) != len(_COMPARISONS):
        raise DataError(where, f"{len(votes)} comparisons where {len(_COMPARISONS)} must be")
    key = digest(conversation_digest(prompt), *map(conversation_digest, answers.values()))
    found = []
    for (i, j), value in zip(_COMPARISONS, votes):
        vote = whole({"preference": value}, "preference", where)
        if vote not in _RANKS:
            raise DataError(where, f"preference holds {vote}, not 0, 1 or 2")
        more = {"id": f"{key}#{i}v{j}", "group": digest(question), "tags": {"comparison": f"{i}v{j}"}}
        names = (f"prediction {i}", f"prediction {j}")
        found.append(judged(row, where, prompt, (answers[i], answers[j]), _RANKS[vote], names=names, **more))
    return found


def _passage(found: object, where: str) -> str:
    """A passage is its title and its sentences."""
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise DataError(where, f"passages hold {kind(found)}, not lists of text")
    return " ".join(found[1:] if len(found) > 1 else found)


def swap(row: Row, record: Preference) -> Row:
    """Only this record's comparison changes sides."""
    place = [f"{i}v{j}" for i, j in _COMPARISONS].index(record.tags["comparison"])
    row["preference"][place] = {0: 0, 1: 2, 2: 1}[int(float(row["preference"][place]))]
    return row
