"""TL;DR axis ratings: one worker's `overall`, `accuracy`, `coverage`, `coherence` of one summary, without its post."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, number, text
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
ATTRIBUTES = ("overall", "accuracy", "coverage", "coherence")


def recognises(row: Row) -> bool:
    return "text" in row and "worker" in row and "overall" in row and "coverage" in row


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    """The group is the post's id: ratings of one post belong together although none holds the post."""
    ratings = {name: number(row, name, where) for name in ATTRIBUTES if row.get(name) is not None}
    if not ratings:
        raise DataError(where, "no attribute is rated")
    answer = (message("assistant", text(row, "text", where)),)
    post, worker = str(row.get("id", "")), text(row, "worker", where)
    key = f"{post}/{row.get('summary_id', '')}/{worker}"
    more = {"id": key, "group": post, "annotator": worker, "ratings": (ratings,)}
    return (judged(row, where, (), (answer,), None, names=("text",), **more),)
