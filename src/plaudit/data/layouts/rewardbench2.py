"""RewardBench v2: `chosen` and `rejected` lists of text, `num_correct`, `subset`; all correct ones tie for the best."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, strings, whole
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    return isinstance(row.get("chosen"), list) and isinstance(row.get("rejected"), list) and "num_correct" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    """Rows of the Ties subset come in couples, `ref:n` and `tied:n`, which answer one prompt: one group."""
    right, wrong = strings(row, "chosen", where), strings(row, "rejected", where)
    if not right or not wrong:
        raise DataError(where, f"{'rejected' if right else 'chosen'} is empty")
    if whole(row, "num_correct", where) != len(right):
        raise DataError(where, f"num_correct is {row['num_correct']}, but {len(right)} are chosen")
    both = set(right) & set(wrong)
    if both:
        raise DataError(where, "chosen and rejected share a text")
    names = [*(f"chosen {i + 1}" for i in range(len(right))), *(f"rejected {i + 1}" for i in range(len(wrong)))]
    sides = tuple((message("assistant", words),) for words in (*right, *wrong))
    ranks = (*([0] * len(right)), *([1] * len(wrong)))
    more = {}
    if str(row.get("subset")) == "Ties" and ":" in str(row.get("id")):
        more["group"] = "Ties:" + str(row["id"]).split(":", 1)[1]
    return (judged(row, where, (message("user", filled(row, "prompt", where)),), sides, ranks, names=names, **more),)
