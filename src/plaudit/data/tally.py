"""Numbers of an outline: ties, exact duplicates, contradictions, "the longer one wins", lengths, shared prompts."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plaudit.data.outline import OTHER, Outline
from plaudit.data.split import mix

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Mask = NDArray[np.bool_]


def sizes(o: Outline) -> NDArray[np.int64]:
    """Responses of every preference, [P]."""
    return np.diff(o.preference["first"])


def _per_preference(o: Outline, values: NDArray, reduce: Any) -> NDArray:
    """A reduction over the responses of each preference; no preference is without responses."""
    return reduce.reduceat(values, o.preference["first"][:-1]) if len(o) else values[:0]


def ties(o: Outline) -> Mask:
    """Judged preferences of two responses or more in which none is better than another, [P]."""
    rank = o.response["rank"]
    low, high = _per_preference(o, rank, np.minimum), _per_preference(o, rank, np.maximum)
    return (low == high) & (low >= 0) & (sizes(o) > 1)


def comparisons(o: Outline) -> tuple[NDArray, NDArray, NDArray]:
    """Strict comparisons: preference, better response, worse response (rows of the response columns), each [C]."""
    first, rank, n = o.preference["first"][:-1], o.response["rank"], sizes(o)
    two = np.flatnonzero(n == 2)
    a, b = first[two], first[two] + 1
    better, worse = np.where(rank[a] <= rank[b], a, b), np.where(rank[a] <= rank[b], b, a)
    whose = [two[rank[a] != rank[b]]]
    wins, loses = [better[rank[a] != rank[b]]], [worse[rank[a] != rank[b]]]
    for i in np.flatnonzero(n > 2):
        span = np.arange(first[i], first[i] + n[i])
        left, right = np.nonzero((rank[span][:, None] < rank[span][None, :]) & (rank[span][:, None] >= 0))
        whose.append(np.full(len(left), i))
        wins.append(span[left])
        loses.append(span[right])
    return np.concatenate(whose), np.concatenate(wins), np.concatenate(loses)


def judgement_keys(o: Outline, *, annotators: bool = True) -> NDArray[np.uint64]:
    """64 bits per preference that are equal for equal prompts, responses with the same ranks, and annotators, [P]."""
    ranked = mix(mix(o.response["digest"]) + o.response["rank"].astype(np.uint64))
    return mix(_per_preference(o, ranked, np.add)) ^ _owner(o, annotators)


def duplicates(o: Outline, *, annotators: bool = True) -> Mask:
    """Repeats of an earlier preference, [P]: same prompt, same responses with the same ranks, same annotator."""
    key = judgement_keys(o, annotators=annotators)
    first = np.unique(key, return_index=True)[1]
    repeat = np.ones(len(o), bool)
    repeat[first] = False
    return repeat


def _owner(o: Outline, annotators: bool) -> NDArray[np.uint64]:
    """Digest of prompt and annotator, [P]."""
    prompt = mix(o.preference["prompt"])
    return mix(prompt + o.preference["annotator"].astype(np.uint64)) if annotators else mix(prompt)


def contradictions(o: Outline, within: Mask | None = None, *, annotators: bool = True) -> int:
    """Pairs of responses to one prompt that one annotator (or nobody named) ordered both ways.

    Without `annotators` disagreements between two of them count as well.
    """
    return len(np.unique(contradicting(o, within, annotators=annotators)[1]))


def contradicting(o: Outline, within: Mask | None = None, *, annotators: bool = True) -> tuple[NDArray, NDArray]:
    """Preferences that stand in a contradiction, and the key of the pair they contradict about, each [C]."""
    whose, wins, loses = comparisons(o)
    if within is not None:
        inside = within[whose]
        whose, wins, loses = whose[inside], wins[inside], loses[inside]
    key, up = _pair_keys(o, whose, wins, loses, annotators=annotators)
    both = np.intersect1d(key[up], key[~up])
    inside = np.isin(key, both)
    return whose[inside], key[inside]


def _pair_keys(
    o: Outline, whose: NDArray, wins: NDArray, loses: NDArray, *, annotators: bool
) -> tuple[NDArray, NDArray]:
    """A key per comparison that is the same whichever of its two responses won, and which of them did, each [C]."""
    digest = o.response["digest"]
    key = mix(mix(digest[wins]) + mix(digest[loses])) ^ _owner(o, annotators)[whose]
    return key, digest[wins] < digest[loses]


def _ordered(o: Outline) -> tuple[NDArray, NDArray, NDArray]:
    """Preference, key and winner of every comparison, annotators told apart."""
    whose, wins, loses = comparisons(o)
    return whose, *_pair_keys(o, whose, wins, loses, annotators=True)


def contradictions_between(o: Outline) -> int:
    """Contradictions that no file holds by itself: they show only over several."""
    whole = np.unique(contradicting(o)[1])
    alone = [contradicting(o, o.preference["file"] == i)[1] for i in range(len(o.files))]
    return len(np.setdiff1d(whole, np.concatenate([whole[:0], *alone])))


def disagreements(o: Outline, within: Mask | None = None) -> int:
    """Pairs of responses to one prompt that two annotators ordered differently; nobody named counts as one of them."""
    whose, key = contradicting(o, within, annotators=False)
    who = o.preference["annotator"][whose].astype(np.uint64)
    seen = np.unique(np.column_stack([key, who]), axis=0)  # a pair ordered both ways by one alone has one row
    return int((np.unique(seen[:, 0], return_counts=True)[1] > 1).sum())


def first_alike(o: Outline) -> NDArray[np.int64]:
    """The earlier preference that each one repeats (texts, ranks, annotator), -1 for none, [P]."""
    _, first, place = np.unique(judgement_keys(o), return_index=True, return_inverse=True)
    earliest = first[place]
    return np.where(earliest == np.arange(len(o)), -1, earliest)


def first_opposed(o: Outline) -> NDArray[np.int64]:
    """The first preference that orders the same two responses the other way by the same annotator, -1 for none, [P]."""
    out = np.full(len(o), -1, np.int64)
    whose, key, up = _ordered(o)
    for side in (True, False):
        other, at = np.unique(key[up != side], return_index=True)  # the first of each on the other side
        mine = np.flatnonzero(up == side)
        place = np.searchsorted(other, key[mine])
        hit = (place < len(other)) & (
            other[np.minimum(place, max(len(other) - 1, 0))] == key[mine] if len(other) else False
        )
        rival = whose[np.flatnonzero(up != side)][at] if len(other) else np.zeros(0, np.int64)
        for i, j in zip(whose[mine[hit]], rival[place[hit]], strict=True):
            out[i] = j if out[i] < 0 else min(out[i], j)
    return out


def longer_wins(o: Outline, within: Mask | None = None) -> float | None:
    """Share of strict comparisons that the longer response wins, by characters of its last turn; ties half."""
    whose, wins, loses = comparisons(o)
    gap = o.response["chars"][wins].astype(np.int64) - o.response["chars"][loses].astype(np.int64)
    if within is not None:
        gap = gap[within[whose]]
    return float((gap > 0).mean() + (gap == 0).mean() / 2) if len(gap) else None


def lengths(o: Outline, within: Mask) -> dict[str, list[int]]:
    """Character quantiles (5, 25, 50, 75, 95, 100 %) of prompts, and of responses on the better and worse side."""
    whose, wins, loses = comparisons(o)
    inside = within[whose]
    owner = np.repeat(np.arange(len(o)), sizes(o))
    columns = {
        "prompt": o.preference["chars"][within],
        "chosen": o.response["chars"][wins[inside]],
        "rejected": o.response["chars"][loses[inside]],
        "any response": o.response["chars"][within[owner]],
    }
    return {name: np.quantile(v, QUANTILES).round().astype(int).tolist() for name, v in columns.items() if len(v)}


class Shared(NamedTuple):
    """What two files have in common: prompts, their share of the fewer prompts, judgements that are the same, pairs of
    responses that one annotator (or nobody named) ordered one way here and the other way there.
    """

    files: tuple[int, int]
    prompts: int
    share: float
    duplicates: int
    contradictions: int


def shared(o: Outline) -> list[Shared]:
    """Every two files that have anything in common.

    Prompts are compared by their turns, never by a group of the files' own: two files number theirs alike. A preference
    without a prompt shares none.
    """
    of, asked, keys = o.preference["file"], o.preference["chars"] > 0, judgement_keys(o)
    whose, key, up = _ordered(o)
    every = range(len(o.files))
    prompts = [np.unique(o.preference["prompt"][(of == i) & asked]) for i in every]
    same = [np.unique(keys[of == i]) for i in every]
    ways = [[np.unique(key[(of[whose] == i) & (up == way)]) for way in (True, False)] for i in every]
    found = []
    for i, j in combinations(every, 2):
        n, alike = (len(np.intersect1d(of_[i], of_[j])) for of_ in (prompts, same))
        against = [np.intersect1d(ways[i][way], ways[j][1 - way]) for way in (0, 1)]
        opposed = len(np.union1d(*against))
        if n or alike or opposed:
            fewer = min(len(prompts[i]), len(prompts[j]))
            found.append(Shared((i, j), n, n / fewer if fewer else 0.0, alike, opposed))
    return found


def summary(o: Outline, i: int) -> dict[str, Any]:
    """The numbers of file i: the keys that other tools may rely on first, then more."""
    count, within = o.files[i], o.preference["file"] == i
    strength = o.preference["strength"][within]
    keys = judgement_keys(o)[within]
    turns = o.preference["turns"][within]
    return {
        "path": count.path, "layout": count.layout, "rows": count.rows, "kept": count.kept, "rejected": count.rejected,
        "preferences": count.preferences, "steps": count.steps, "ties": int(ties(o)[within].sum()),
        "duplicates": len(keys) - len(np.unique(keys)),
        "contradictions": contradictions(o, within), "longer_wins": longer_wins(o, within),
        "disagreements": disagreements(o, within),
        "partly_used": count.partly, "carry_columns": count.carried,
        "comparisons": int(within[comparisons(o)[0]].sum()), "groups": len(np.unique(o.preference["group"][within])),
        "annotators": sum(1 for a in np.unique(o.preference["annotator"][within]) if o.annotators[a]),
        "strengths": _strengths(strength[~np.isnan(strength)]), "chars": lengths(o, within),
        "human_turns": {"median": float(np.median(turns)), "max": int(turns.max())} if len(turns) else None,
        "solutions": count.solutions.summary(), "reasons": _commonest(count.reasons),
    }  # fmt: skip


def _commonest(reasons: Mapping[str, int], most: int = 20) -> dict[str, int]:
    """The commonest reasons; the others together, so that nothing is missing from the sum.

    >>> _commonest({"a": 1, "b": 5, "c": 2, "other reasons": 1}, most=2)
    {'b': 5, 'c': 2, 'other reasons': 2}
    """
    named = sorted(((k, n) for k, n in reasons.items() if k != OTHER), key=lambda item: -item[1])
    rest = sum(n for _, n in named[most:]) + reasons.get(OTHER, 0)
    return dict(named[:most]) | ({OTHER: rest} if rest else {})


def _strengths(values: NDArray) -> dict[str, Any] | None:
    if not len(values):
        return None
    kinds, counts = np.unique(values, return_counts=True)
    if len(kinds) <= 12:
        return {f"{kind:g}": int(n) for kind, n in zip(kinds, counts)}
    return {f"{int(q * 100)} %": float(np.quantile(values, q)) for q in QUANTILES}
