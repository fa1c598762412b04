"""Every judgement of two responses, as columns: which pair, who judged, which of the two won, which was shown first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.data.outline import Outline, conversation_key
from plaudit.data.split import group_digest, mix
from plaudit.records import Preference

LISTED = 100  # ids that a finding holds


@dataclass(frozen=True)
class Judgements:
    """Columns [J]; the two responses of a pair have no order of their own, so the one of smaller digest is called low.

    `preference`: which record. `item`: code of prompt and the two texts, 0..I-1. `low_won`: 1, 0, or -1 for a tie (of a
    pair; equal ranks in a longer list may mean that nobody compared them). `low_first`: the low one stands first in the
    record. `first` and `second`: rows of the response columns, in the record's order; `first_node` and `second_node`:
    digests of prompt and response. `annotator`: code; `named`: is there a name. `group`: prompt group.
    """

    preference: NDArray[np.int64]
    item: NDArray[np.int64]
    low_won: NDArray[np.int8]
    low_first: NDArray[np.bool_]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_node: NDArray[np.uint64]
    second_node: NDArray[np.uint64]
    annotator: NDArray[np.int64]
    named: NDArray[np.bool_]
    group: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.item)

    def only(self, rows: NDArray) -> "Judgements":
        """These rows; items are numbered anew."""
        kept = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__}
        kept["item"] = np.unique(kept["item"], return_inverse=True)[1].astype(np.int64)
        return Judgements(**kept)

    @property
    def items(self) -> int:
        return int(self.item.max()) + 1 if len(self.item) else 0


def of_outline(o: Outline) -> Judgements:
    """The judgements in an outline; pairs of two equal texts are none."""
    named = np.array([bool(name) for name in o.annotators] or [False])
    who = o.preference["annotator"].astype(np.int64)
    return _table(
        o.preference["first"].astype(np.int64), o.preference["prompt"], o.response["digest"], o.response["rank"], who,
        named[who] if len(who) else np.zeros(0, bool), o.preference["group"],
    )  # fmt: skip


def of_preferences(preferences: Sequence[Preference]) -> tuple[Judgements, tuple[str, ...]]:
    """The judgements in preferences, and the annotators that their codes mean."""
    names: dict[str, int] = {}
    who = np.array([names.setdefault(p.annotator, len(names)) for p in preferences], np.int64)
    prompt = np.array([conversation_key(p.prompt)[0] for p in preferences], np.uint64)
    digest = np.array([conversation_key(r)[0] for p in preferences for r in p.responses], np.uint64)
    rank = np.array([-1 if p.ranks is None else p.ranks[i] for p in preferences for i in range(len(p.responses))])
    first = np.concatenate([[0], np.cumsum([len(p.responses) for p in preferences])]).astype(np.int64)
    named = np.array([bool(p.annotator) for p in preferences], bool)
    group = np.array([group_digest(p) for p in preferences], np.uint64)
    return _table(first, prompt, digest, rank.astype(np.int64), who, named, group), tuple(names)


def _table(
    first: NDArray, prompt: NDArray, digest: NDArray, rank: NDArray, who: NDArray, named: NDArray, group: NDArray
) -> Judgements:
    whose, a, b = _pairs_of(first, rank)
    tie = rank[a] == rank[b]
    keep = (digest[a] != digest[b]) & ~(tie & (np.diff(first)[whose] > 2))
    whose, a, b, tie = whose[keep], a[keep], b[keep], tie[keep]
    low_first = digest[a] < digest[b]
    won = np.where(tie, -1, ((rank[a] < rank[b]) == low_first).astype(np.int8)).astype(np.int8)
    low, high = np.minimum(digest[a], digest[b]), np.maximum(digest[a], digest[b])
    key = mix(mix(mix(prompt)[whose] + low) + high)
    item = np.unique(key, return_inverse=True)[1].astype(np.int64)
    one, other = (mix(mix(prompt)[whose] + mix(digest[side])) for side in (a, b))
    return Judgements(whose, item, won, low_first, a, b, one, other, who[whose], named[whose], group[whose])


def _pairs_of(first: NDArray[np.int64], rank: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Preference and the two response rows of every two responses that were judged, in order."""
    n, start = np.diff(first), first[:-1]
    two = np.flatnonzero(n == 2)
    whose, left, right = [two], [start[two]], [start[two] + 1]
    for size in np.unique(n[n > 2]):
        rows = np.flatnonzero(n == size)
        i, j = np.triu_indices(size, 1)
        whose.append(np.repeat(rows, len(i)))
        left.append((start[rows][:, None] + i).ravel())
        right.append((start[rows][:, None] + j).ravel())
    w, a, b = (np.concatenate(part).astype(np.int64) for part in (whose, left, right))
    judged = (rank[a] >= 0) & (rank[b] >= 0)
    return w[judged], a[judged], b[judged]


def once(table: Judgements) -> Judgements:
    """One judgement of a pair by one annotator, two when they contradict: repeats of oneself are no evidence."""
    seen = np.column_stack([table.item, table.annotator, table.low_won.astype(np.int64)])
    return table.only(np.sort(np.unique(seen, axis=0, return_index=True)[1])) if len(table) else table


def shows_order(o: Outline, table: Judgements) -> NDArray[np.bool_]:
    """Judgements from files whose order of responses says nothing of the label, [J]: there the first may lose.

    A file that names the better response first (`chosen`, `rejected`) does not show what its annotators saw first.
    """
    file = o.preference["file"][table.preference]
    strict = table.low_won >= 0
    lost = strict & ((table.low_won == 1) != table.low_first)
    return np.bincount(file, lost, len(o.files))[file] > 0


def ids(o: Outline, places: NDArray | Sequence[int]) -> tuple[tuple[str, ...], int]:
    """Distinct ids of the preferences at these places, the first hundred in file order, and how many places."""
    unique = np.unique(np.asarray(places, np.int64))
    named = list(dict.fromkeys(o.id(int(i)) for i in unique))
    return tuple(named[:LISTED]), len(unique)


def counted(n: int, what: str) -> str:
    """A number with its noun.

    >>> counted(1, "pair"), counted(1200, "pair")
    ('1 pair', '1,200 pairs')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def brief(name: str) -> str:
    """A name from a file as it can stand in a sentence: one line, sixty characters at most.

    >>> brief("two\\nlines "), len(brief("x" * 1000))
    ('two lines', 60)
    """
    line = " ".join(name[:500].split())
    return line if len(line) <= 60 else line[:59] + "…"


def share(part: float, whole: float) -> float:
    """part / whole, 0 of nothing."""
    return float(part) / float(whole) if whole else 0.0
