"""Scores of a stream of preferences: in order, in constant memory, and every number checked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import DataError, PlauditError
from plaudit.records import Preference
from plaudit.scorer import Panel, Scorer
from plaudit.signals.aggregate import Opinion, opinion

T = TypeVar("T")
CHUNK = 512  # preferences handed to a scorer at a time: enough to fill its batches, little enough to hold


def chunks(preferences: Iterable[Preference], size: int = CHUNK) -> Iterator[list[Preference]]:
    """Lists of `size` preferences, the last one shorter."""
    rest = iter(preferences)
    while chunk := list(islice(rest, size)):
        yield chunk


def scored(
    scorer: Scorer,
    preferences: Iterable[Preference],
    *,
    size: int = CHUNK,
    leave: Callable[[Preference, str], None] | None = None,
    shorten: Callable[[Preference], None] | None = None,
) -> Iterator[tuple[Preference, NDArray]]:
    """Each preference with its scores [N], in order.

    `leave` is told of every preference that the scorer cannot take (too long for the model, refused by its template)
    and why; without it the first of them is an error. `shorten` is told of every one whose prompt it has to cut.

    >>> from plaudit.records import pair
    >>> from plaudit.rewards.length import scorer as length
    >>> [scores.tolist() for _, scores in scored(length(), [pair("?", "four", "5")])]
    [[4.0, 1.0]]
    """
    for chunk in chunks(preferences, size):
        yield from scored_chunk(scorer, chunk, leave, shorten)


@contextmanager
def watched(scorer: Any, heard: Callable[[float], None]) -> Iterator[None]:
    """Meanwhile `heard` is told of preferences as soon as they are scored, where a model stands behind the scorer."""
    watch = getattr(scorer, "watch", lambda _: None)
    watch(heard)
    try:
        yield
    finally:
        watch(None)


Leave = Callable[[Preference, str], None] | None
Shorten = Callable[[Preference], None] | None


def scored_chunk(
    scorer: Scorer, chunk: Sequence[Preference], leave: Leave = None, shorten: Shorten = None
) -> list[tuple[Preference, NDArray]]:
    """The same for preferences that the scorer gets together."""
    return _taken(scorer, lambda rows: checked(rows, scorer.score_all(rows)), chunk, leave, shorten)


def judged_chunk(
    panel: Panel, chunk: Sequence[Preference], leave: Leave = None, shorten: Shorten = None
) -> list[tuple[Preference, Opinion]]:
    """The same by a committee, with every member's word: one pass gives the score and who said what."""
    return _taken(panel, lambda rows: opinions(panel, rows), chunk, leave, shorten)


def opinions(panel: Panel, preferences: Sequence[Preference]) -> list[Opinion]:
    """Score, spread and members of a committee, one `Opinion` per preference; its score is that of `score_all`.

    >>> from plaudit.records import pair
    >>> from plaudit.rewards.length import scorer as length
    >>> from plaudit.rewards.panel import Together
    >>> opinions(Together([length(), length()], [1.0, 2.0]), [pair("?", "four", "5")])[0].spread.tolist()
    [1.0, 0.25]
    """
    found = [opinion(votes, getattr(panel, "combine", "mean")) for votes in panel.votes_all(preferences)]
    checked(preferences, [o.score for o in found])
    return found


def _taken(
    scorer: Scorer,
    ask: Callable[[Sequence[Preference]], list[T]],
    chunk: Sequence[Preference],
    leave: Leave,
    shorten: Shorten,
) -> list[tuple[Preference, T]]:
    """What the scorer says of each preference that it can take; the others are left out, with the reason."""
    taken = list(chunk)
    try:
        found = ask(taken)
    except DataError:
        reasons = refusals(scorer, chunk) if leave else []
        if leave is None or not any(reasons):
            raise
        for preference, reason in zip(chunk, reasons):
            if reason:
                leave(preference, reason)
        taken = [p for p, reason in zip(chunk, reasons) if not reason]
        found = ask(taken)
    if shorten:
        for preference, shorter in zip(taken, cut(scorer, taken)):
            if shorter:
                shorten(preference)
    return list(zip(taken, found))


def refusals(scorer: Scorer, preferences: Sequence[Preference]) -> list[str]:
    """Why a model cannot take each preference, '' where it can; empty for scorers that take anything.

    A scorer made of others says it itself (`refusals`); of a model it is found out by its own rules of tokenising.
    """
    own = getattr(scorer, "refusals", None)
    if own is not None:
        return own(preferences)
    loaded = getattr(scorer, "loaded", None)
    if loaded is None:
        return []
    from plaudit.models.tokens import encode_all

    return [encoded.refused for encoded in encode_all(preferences, loaded.policy)]


def cut(scorer: Scorer, preferences: Sequence[Preference]) -> list[bool]:
    """Whether a model has to cut each preference's prompt, which then depends on the longest of the responses.

    Asked as `refusals` are: a scorer made of others says it itself; one that reads no tokens never cuts.
    """
    own = getattr(scorer, "cut", None)
    if own is not None:
        return own(preferences)
    loaded = getattr(scorer, "loaded", None)
    if loaded is None:
        return [False] * len(preferences)
    from plaudit.models.tokens import encode_all

    return [encoded.dropped_tokens > 0 for encoded in encode_all(preferences, loaded.policy)]


def place(preference: Preference) -> str:
    """How a preference is named in messages: where it stands and its id."""
    return f"{preference.source} (id {preference.id})" if preference.source else f"id {preference.id}"


def checked(preferences: Sequence[Preference], scores: Sequence[NDArray]) -> list[NDArray]:
    """The scores as float64 [N] each; one that is not finite, or not N of them, is an error that names the row."""
    if len(scores) != len(preferences):
        raise PlauditError(f"the scorer gave {len(scores)} answers to {len(preferences)} preferences")
    found = [np.asarray(s, dtype=np.float64) for s in scores]
    for preference, values in zip(preferences, found):
        if values.shape != (len(preference.responses),):
            shape = "x".join(map(str, values.shape))
            raise DataError(place(preference), f"{shape} scores for {len(preference.responses)} responses")
        if not np.isfinite(values).all():
            which = int(np.isfinite(values).argmin())
            what = "not a number" if np.isnan(values[which]) else f"{values[which]:g}"
            raise DataError(
                place(preference), f"the score of response {which + 1} is {what}",
                advice="run `plaudit doctor` on the checkpoint, or score in --dtype float32",
            )  # fmt: skip
    return found
