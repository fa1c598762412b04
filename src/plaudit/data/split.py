"""Prompt groups, the held-out part and folds. Membership is a pure function of a group's digest and the seed.

So rows that are added, dropped or reordered move no other row, and training on one machine holds out what another did.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.records import Preference, conversation_digest, digest
from plaudit.seeds import seed_for

GroupBy = Literal["auto", "first_user_turn", "prompt", "group", "id"]


def group_text(preference: Preference, by: GroupBy = "auto") -> str:
    """What makes two preferences share a prompt group: text, white space folded.

    `auto`: the file's own group when it has one, else the first user turn. A record without a prompt, or with an empty
    one, is a group with its copies alone; a prompt of pictures alone is known by them.

    >>> from plaudit.records import message, pair
    >>> group_text(pair((message("user", " Why is  the sky\\n blue?"),), "a", "b"))
    'Why is the sky blue?'
    """
    if by == "id":
        return preference.id
    if preference.group and by in ("auto", "group"):
        return preference.group
    if by != "prompt":
        for turn in preference.prompt:
            if turn.role == "user":
                return " ".join(turn.text.split()) or _wordless(preference)
    return " ".join(" ".join(turn.text for turn in preference.prompt).split()) or _wordless(preference)


def _wordless(preference: Preference) -> str:
    """What tells a prompt without words from others: its pictures, else the responses, in whatever order they come."""
    if any(not isinstance(part, str) for turn in preference.prompt for part in turn.parts):
        return conversation_digest(preference.prompt)
    return digest(*sorted(map(conversation_digest, preference.responses)))


def group_digest(preference: Preference, by: GroupBy = "auto") -> int:
    """64-bit digest of the prompt group; the same in every process and on every machine."""
    return text_digest(group_text(preference, by))


def text_digest(text: str) -> int:
    """64 bits of blake2b over the text."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def groups_of(preferences: Sequence[Preference], by: GroupBy = "auto") -> NDArray[np.uint64]:
    """Group digests, uint64 [P]."""
    return np.fromiter((group_digest(p, by) for p in preferences), np.uint64, len(preferences))


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser: 64 bits in, 64 well-mixed bits out, one to one."""
    x = values.astype(np.uint64, copy=True)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _draw(groups: NDArray[np.uint64], seed: int, purpose: str) -> NDArray[np.uint64]:
    return mix(mix(groups) + np.uint64(seed_for(seed, purpose)))


def held_out(
    preferences: Sequence[Preference] | NDArray[np.uint64],
    *,
    fraction: float = 0.1,
    at_most: int = 1000,
    seed: int = 0,
    by: GroupBy = "auto",
) -> NDArray[np.bool_]:
    """Which preferences are held out, bool [P]: whole prompt groups, about `fraction` of them, never over `at_most`.

    Takes preferences or their group digests. Each group draws a number from its digest and the seed; those below
    `fraction` are held out, the smallest `at_most` if they are more. With two groups or more, at least one is held
    out and at least one is not.
    """
    groups = preferences if isinstance(preferences, np.ndarray) else groups_of(preferences, by)
    kinds, place = np.unique(groups, return_inverse=True)
    if len(kinds) < 2 or fraction <= 0 or at_most <= 0:
        return np.zeros(len(groups), bool)
    drawn = _draw(kinds, seed, "held-out")
    below = int((drawn < np.float64(min(fraction, 1.0)) * 2.0**64).sum())
    count = min(max(below, 1), at_most, len(kinds) - 1)
    chosen = np.zeros(len(kinds), bool)
    chosen[np.argsort(drawn, kind="stable")[:count]] = True
    return chosen[place]


def folds(groups: NDArray[np.uint64], k: int, seed: int = 0) -> NDArray[np.int64]:
    """Fold of every row, int64 [P] in 0..k-1; rows of one prompt group share a fold.

    >>> fold = folds(np.array([7, 8, 7], np.uint64), 5)
    >>> bool(fold[0] == fold[2]), int(fold.max()) < 5
    (True, True)
    """
    if k < 2:
        raise ValueError("folds need k of two or more")
    return (_draw(groups, seed, "folds") % np.uint64(k)).astype(np.int64)
