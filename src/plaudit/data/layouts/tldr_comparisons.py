"""TL;DR comparisons: a worker's `choice` (0 or 1) of two summaries of a `post`; `summaries` in OpenAI's files."""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, items, mapping, mirrored, text, whole
from plaudit.data.layouts._pairs import judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("summary 0", "summary 1")


def recognises(row: Row) -> bool:
    flat = "summary_text_0" in row and "summary_text_1" in row and "post" in row
    return "choice" in row and (flat or (isinstance(row.get("summaries"), list) and isinstance(row.get("info"), dict)))


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    choice = whole(row, "choice", where)
    if choice not in (0, 1):
        raise DataError(where, f"choice is {choice}, not 0 or 1")
    if "summaries" in row:
        info = mapping(row, "info", where)
        pair = items(row, "summaries", where)
        if len(pair) != 2 or not all(isinstance(summary, dict) for summary in pair):
            raise DataError(where, "summaries are not two objects")
        asked, post = filled(info, "post", where), str(info.get("id", ""))
        texts = [text(summary, "text", where) for summary in pair]
    else:
        asked, post = filled(row, "post", where), str(row.get("id", ""))
        texts = [text(row, name, where) for name in ("summary_text_0", "summary_text_1")]
    sides = tuple((message("assistant", words),) for words in texts)
    more = {"id": "", "group": post, "annotator": str(row.get("worker") or "")}
    return (judged(row, where, (message("user", asked),), sides, (choice, 1 - choice), names=_NAMES, **more),)


def swap(row: Row, record: Preference) -> Row:
    row["choice"] = mirrored(row["choice"], 1)
    return row
