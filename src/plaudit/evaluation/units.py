"""Scored preferences become units: one comparison, or one list whose best must win, with what it is broken down by."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plaudit.metrics.accuracy import Ties, list_chance, pair_credit
from plaudit.metrics.outcomes import Outcomes, outcomes
from plaudit.records import Preference
from plaudit.rewards.stream import place

PAIRS, LISTS, COMPARISONS = "pairs", "lists", "list comparisons"


class Unit(NamedTuple):
    """One judgement. Of a list: the lowest of the best and the highest of the others."""

    name: str
    file: str
    kind: str
    group: int
    sides: tuple[float, float, int, int]  # scores of the better and the worse, then their lengths
    chance: float
    turns: int
    tags: Mapping[str, str]


class Rated(NamedTuple):
    """One response that somebody rated and nobody ranked."""

    file: str
    attribute: str
    group: int
    rating: float
    score: float
    length: int


@dataclass
class Gathered:
    """Everything an evaluation needs of its preferences; texts are not kept."""

    units: list[Unit] = field(default_factory=list)
    rated: list[Rated] = field(default_factory=list)
    files: dict[str, None] = field(default_factory=dict)  # in order of appearance
    labelled_ties: int = 0
    unjudged: int = 0
    flipped: int = 0

    def counts(self) -> dict[str, int]:
        kinds = [u.kind for u in self.units]
        return {
            "pairs": kinds.count(PAIRS), "lists": kinds.count(LISTS), "list_comparisons": kinds.count(COMPARISONS),
            "rated_responses": len(self.rated), "labelled_ties": self.labelled_ties, "unjudged": self.unjudged,
            "flipped_by_target": self.flipped,
        }  # fmt: skip


def file_of(preference: Preference) -> str:
    """The file a preference was read from; those made in memory are called `preferences`."""
    return preference.source.rsplit(":", 1)[0] or "preferences"


def gather(
    scored: Iterable[tuple[Preference, NDArray]],
    lengths: Callable[[Preference], NDArray],
    group_of: Callable[[Preference], int],
) -> Gathered:
    """Units from preferences with their scores [N]; `lengths` gives what length alone would score."""
    found = Gathered()
    for preference, scores in scored:
        file = file_of(preference)
        found.files[file] = None
        _take(found, preference, scores, lengths(preference), group_of(preference), file)
    return found


def _take(found: Gathered, p: Preference, scores: NDArray, lengths: NDArray, group: int, file: str) -> None:
    if p.ranks is None or len(p.responses) < 2:
        rows = [(a, r, s, n) for of, s, n in zip(p.ratings, scores, lengths) for a, r in of.items()]
        found.rated += [Rated(file, a, group, float(r), float(s), int(n)) for a, r, s, n in rows]
        found.unjudged += not rows
        return
    if p.is_tie or p.target == 0.5:
        found.labelled_ties += 1
        return
    ranks = decided(p.ranks, p.target)
    found.flipped += ranks != p.ranks
    turns = sum(turn.role == "user" for turn in p.prompt)
    base = (place(p), file)
    for i, j in _ordered(ranks):
        sides = (float(scores[i]), float(scores[j]), int(lengths[i]), int(lengths[j]))
        kind = PAIRS if len(ranks) == 2 else COMPARISONS
        found.units.append(Unit(*base, kind, group, sides, 0.5, turns, p.tags))
    if len(ranks) > 2:
        best = [i for i, r in enumerate(ranks) if r == min(ranks)]
        rest = [i for i in range(len(ranks)) if i not in best]
        top = (float(scores[best].min()), float(scores[rest].max()), int(lengths[best].min()), int(lengths[rest].max()))
        found.units.append(Unit(*base, LISTS, group, top, list_chance(ranks), turns, p.tags))


def decided(ranks: tuple[int, ...], target: float | None) -> tuple[int, ...]:
    """The ranks that a label decides: the other way round where its target is below 1/2, as training takes it.

    >>> decided((0, 1, 2), None), decided((0, 1, 2), 0.2)
    ((0, 1, 2), (0, -1, -2))
    """
    return tuple(-r for r in ranks) if target is not None and target < 0.5 else ranks


def _ordered(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """(better, worse) for every comparison that the ranks decide."""
    span = range(len(ranks))
    return [(i, j) for i in span for j in span if ranks[i] < ranks[j]]


def outcomes_of(units: Sequence[Unit], ties: Ties) -> tuple[Outcomes, Outcomes]:
    """What the scorer and what length alone earned on these units of one kind; a list asks for a strict winner."""
    rule: Ties = "loss" if units and units[0].kind == LISTS else ties
    names = [u.name for u in units]
    groups = np.array([u.group for u in units], dtype=np.uint64)
    leaves = [u.file for u in units]
    chance = [u.chance for u in units]
    sides = np.array([u.sides for u in units], dtype=np.float64).reshape(-1, 4)
    found = []
    for better, worse in (sides[:, :2].T, sides[:, 2:].T):
        credit, tied = pair_credit(better, worse, ties=rule, names=names)
        found.append(outcomes(names, credit, tied, chance, groups, leaves, ties=rule))
    return found[0], found[1]
