"""UltraFeedback: `instruction` and `completions`, each a `response` with `annotations` of several aspects.

Ratings are the aspects'; the list is ranked by their mean, equal means tie.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, items, kind, mapping, text
from plaudit.data.layouts._pairs import judged, ranked
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40


def recognises(row: Row) -> bool:
    found = row.get("completions")
    if not isinstance(row.get("instruction"), str) or not isinstance(found, list) or not found:
        return False
    return isinstance(found[0], dict) and "response" in found[0] and "annotations" in found[0]


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    prompt = (message("user", filled(row, "instruction", where)),)
    answers, ratings, models = [], [], []
    for i, item in enumerate(items(row, "completions", where), 1):
        if type(item) is not dict:
            raise DataError(where, f"completion {i} is {kind(item)}, not an object")
        answers.append((message("assistant", text(item, "response", where)),))
        ratings.append(_aspects(mapping(item, "annotations", where)))
        models.append(str(item.get("model", "")))
    ranks = None
    if len(answers) > 1 and all(ratings):
        ranks = ranked([sum(found.values()) / len(found) for found in ratings])
    tags = {"models": ",".join(models)} if any(models) else {}
    names = [f"completion {i}" for i in range(1, len(answers) + 1)]
    return (judged(row, where, prompt, tuple(answers), ranks, names=names, ratings=tuple(ratings), tags=tags),)


def _aspects(annotations: Row) -> dict[str, float]:
    """The numeric ratings; a rating of "N/A" is none."""
    found: dict[str, float] = {}
    for name, entry in annotations.items():
        value = entry.get("Rating") if isinstance(entry, dict) else entry
        try:
            found[name] = float(value) if isinstance(value, str | int | float) else float("nan")
        except ValueError:
            continue
        if found[name] != found[name]:
            del found[name]
    return found
