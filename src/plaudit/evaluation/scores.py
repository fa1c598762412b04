"""Score files: one line per preference, `{"id", "content", "scores"}`; written once, graded as often as one likes."""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import DataError
from plaudit.evaluation.suites._files import is_withheld
from plaudit.evaluation.units import decided
from plaudit.records import Preference
from plaudit.rewards.stream import place
from plaudit.signals.aggregate import Opinion

Missing = Literal["error", "loss"]


def line(
    preference: Preference,
    scores: Sequence[float] | NDArray,
    texts: Sequence[str] | None = None,
    opinion: Opinion | None = None,
) -> bytes:
    """One line of a score file, newline included; floats in full, so that reading gives back the same bits.

    `content` is the digest of the texts in their order: scores are not taken for other texts of the same id.
    `opinion`: a committee's, whose `spread` and `members` stand beside the scores.

    >>> from plaudit.records import pair
    >>> line(pair("?", "a", "b", id="7"), [0.5, 1.0])
    b'{"id": "7", "content": "3bac3dd2326ee11e4c0329b73105d373", "scores": [0.5, 1.0]}\\n'
    """
    row: dict[str, Any] = {"id": preference.id}
    if not is_withheld(preference):  # where texts are not in the files there is nothing to compare
        row["content"] = preference.content
    row["scores"] = [float(s) for s in scores]
    if opinion is not None:
        row |= {"spread": opinion.spread.tolist(), "members": opinion.members.tolist()}
    if texts is not None:
        row["texts"] = list(texts)
    text = json.dumps(row, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: JSON can say it, UTF-8 cannot
        return json.dumps(row).encode() + b"\n"


def rows(path: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """(where, row) of a score file: JSON lines or one JSON array, gzipped or not."""
    path = Path(path)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(str(path), f"cannot be read: {error}") from error
    if text.lstrip()[:1] == "[":
        return [(f"{path}:{i}", row) for i, row in enumerate(_parse(f"{path}", text), 1)]
    lines = enumerate(text.split("\n"), 1)
    return [(f"{path}:{i}", _parse(f"{path}:{i}", one)) for i, one in lines if one.strip()]


def _parse(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(where, f"broken JSON: {error}") from error


def is_score_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("scores"), list)


class Stored:
    """Scores from a file as a scorer: looked up by id. `absent` counts preferences it had to answer for; `made_up` are
    their ids.

    With `missing="loss"` a preference without scores loses strictly: every comparison of a list, and where a target
    below 1/2 turns the label round, that.
    """

    fingerprint = ""

    def __init__(
        self,
        table: dict[str, NDArray],
        name: str,
        *,
        missing: Missing = "error",
        contents: Mapping[str, str] | None = None,
    ) -> None:
        self.table, self.name, self.missing = table, name, missing
        self.contents = dict(contents or {})  # digest of the texts that were scored, by id, where the file says it
        self.absent = 0
        self.made_up: set[str] = set()

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        return [self._one(p) for p in preferences]

    def _one(self, preference: Preference) -> NDArray:
        found = self.table.get(preference.id)
        scored = self.contents.get(preference.id)
        if scored not in (None, preference.content) and not is_withheld(preference):
            reason = f"{self.name} holds scores of other texts, or of another order of them, under this id"
            raise DataError(place(preference), reason, advice="score this file itself (a repair that flips changes it)")
        if found is not None and np.isfinite(found).all():
            return found
        if self.missing == "loss" and preference.ranks is not None:
            self.absent += 1
            self.made_up.add(preference.id)
            return np.array(decided(preference.ranks, preference.target), np.float64)  # the worst has the highest
        reason = f"{self.name} holds no score for this row"
        if found is not None:
            reason = f"its score in {self.name} is not a finite number"
        lost = (
            "a row that nobody ranked cannot be lost: leave it out" if self.missing == "loss" else "say --missing loss"
        )
        raise DataError(place(preference), reason, advice=f"score the row, or {lost}")


def read_scores(path: str | Path, *, missing: Missing = "error") -> Stored:
    """A score file as a scorer.

    Raises DataError with file:line for a row that is not `{"id", "scores"}` or an id that comes twice.
    """
    return stored(rows(path), str(path), missing=missing)


def stored(found: Iterable[tuple[str, dict[str, Any]]], name: str, *, missing: Missing = "error") -> Stored:
    """Parsed rows of a score file as a scorer."""
    table: dict[str, NDArray] = {}
    contents: dict[str, str] = {}
    for where, row in found:
        if not is_score_row(row):
            raise DataError(where, 'not a score row: {"id": "...", "scores": [...]} is wanted')
        if row["id"] in table:
            raise DataError(where, f"id {row['id']!r} comes twice")
        table[row["id"]] = _numbers(where, row["scores"])
        if isinstance(row.get("content"), str):
            contents[row["id"]] = row["content"]
    return Stored(table, name, missing=missing, contents=contents)


def _numbers(where: str, values: list) -> NDArray:
    if not all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values):
        raise DataError(where, "scores must be numbers")
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)
