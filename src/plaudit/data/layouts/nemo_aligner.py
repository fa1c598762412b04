"""NeMo-Aligner regression: `text` and `label`, nine attributes of one response; -100 means that one is missing."""

from collections.abc import Iterable

from plaudit.data.layouts._dialogue import extra_ids
from plaudit.data.layouts._fields import Row, filled, items, number
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import RAW, Preference, message

SPECIFICITY = 30
# The order of SteerLM's attributes in NeMo-Aligner.
ATTRIBUTES = (
    "quality", "toxicity", "humor", "creativity", "helpfulness", "correctness", "coherence", "complexity", "verbosity",
)  # fmt: skip
MISSING = -100


def recognises(row: Row) -> bool:
    label = row.get("label")
    return isinstance(row.get("text"), str) and isinstance(label, list) and len(label) == len(ATTRIBUTES)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    """A text with the marks of NeMo's chats gives prompt and response; any other is a raw response without a prompt."""
    said = extra_ids(filled(row, "text", where))
    if len(said) < 2 or said[-1].role != "assistant":
        said = (message(RAW, row["text"]),)
    values = items(row, "label", where)
    if len(values) != len(ATTRIBUTES):
        raise DataError(where, f"label holds {len(values)} numbers, not {len(ATTRIBUTES)}")
    rated = {name: number({name: value}, name, where) for name, value in zip(ATTRIBUTES, values)}
    rated = {name: value for name, value in rated.items() if value != MISSING}
    if not rated:
        raise DataError(where, "no attribute is rated")
    return (judged(row, where, said[:-1], (said[-1:],), None, names=("text",), ratings=(rated,)),)
