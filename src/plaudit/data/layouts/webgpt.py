r"""WebGPT scores: two dialogues as `text`, a `score` each; or OpenAI's `answer_0`, `answer_1`, `score_0`, `score_1`.

The strength is the difference of the scores; equal scores tie.
"""

from collections.abc import Iterable

from plaudit.data.layouts._fields import Row, filled, items, number, strings, text
from plaudit.data.layouts._pairs import exchange, in_order, judged
from plaudit.errors import DataError
from plaudit.records import Preference, message

SPECIFICITY = 40
_NAMES = ("answer_0", "answer_1")
_ASKED, _ANSWER = "## Human:\n", "\n\n## Assistant:\n"


def recognises(row: Row) -> bool:
    texts = row.get("text")
    marked = isinstance(texts, list) and "score" in row and all(isinstance(t, str) and _ANSWER in t for t in texts)
    return marked or (all(name in row for name in _NAMES) and "score_0" in row and "question" in row)


def parse(row: Row, *, where: str) -> Iterable[Preference]:
    if "text" in row:
        asked, answers = _texts(strings(row, "text", where), where)
        given = items(row, "score", where)
        if len(given) != 2:
            raise DataError(where, f"{len(given)} scores for 2 texts")
        scores = [number({"score": value}, "score", where) for value in given]
    else:
        question = row.get("question")
        asked = filled(question, "full_text", where) if isinstance(question, dict) else filled(row, "question", where)
        answers = [text(row, name, where) for name in _NAMES]
        scores = [number(row, name, where) for name in ("score_0", "score_1")]
    sides = tuple((message("assistant", words),) for words in answers)
    more = {"ratings": tuple({"score": score} for score in scores), "strength": abs(scores[0] - scores[1])}
    return (judged(row, where, (message("user", asked),), sides, in_order(*scores), names=_NAMES, **more),)


def _texts(pair: tuple[str, ...], where: str) -> tuple[str, list[str]]:
    if len(pair) != 2:
        raise DataError(where, f"{len(pair)} texts where two must be")
    split = [words.partition(_ANSWER) for words in pair]
    if not all(mark for _, mark, _ in split):
        raise DataError(where, "a text has no Assistant mark")
    if split[0][0] != split[1][0]:
        raise DataError(where, "the two texts answer different prompts")
    return split[0][0].removeprefix(_ASKED), [answer for _, _, answer in split]


def swap(row: Row, record: Preference) -> Row:
    """The scores trade places, the texts stay."""
    if "text" in row:
        row["score"] = row["score"][::-1]
        return row
    return exchange(row, ("score_0", "score_1"))
