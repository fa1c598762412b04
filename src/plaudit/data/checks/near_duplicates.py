"""Almost the same judgement twice: near copies of a prompt with near copies of all its responses.

Two texts are near copies when their word 3-grams have a Jaccard index of 0.8 or more (`data.near`: MinHash finds the
candidates, the exact index settles them). Prompt and responses are held against each other one by one: six summaries of
one long post share most of their words and are six different judgements.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.data.checks._judgements import LISTED, counted, share
from plaudit.data.findings import Finding
from plaudit.data.near import clusters, folded, prompt_text
from plaudit.records import Preference

CLUSTERS = 20  # listed, the largest first
MEMBERS = 10  # ids of each


def check(preferences: Sequence[Preference], *, threshold: float = 0.8, tolerated: float = 0.02) -> Finding:
    """`threshold`: least Jaccard index; `tolerated`: share of rows in such clusters up to which it is a note.

    Exact copies, whoever judged them, are one text here: the exact_duplicates check counts those.
    """
    if not preferences:
        return Finding("near_duplicates", "skip", "there are no preferences")
    texts = [prompt_text(p, "prompt") for p in preferences]
    prompt = clusters(texts, threshold=threshold)
    prompts, wording = _kinds(prompt, texts)
    key, plain = _keys(preferences, texts, prompt, threshold)
    whole = _clusters_of(key, plain)
    opposed = _opposed(preferences, whole)
    rows = sorted(i for members in whole for i in members)
    part = share(len(rows), len(preferences))
    value = {
        "clusters": len(whole), "preferences": len(rows), "share": part, "opposed": opposed,
        "prompt_clusters": prompts, "prompts_in_them": wording, "threshold": threshold,
        "listed": _listed(whole, preferences),
    }  # fmt: skip
    if not rows:
        near = f"; {wording:,} prompts fall into {counted(prompts, 'cluster')} of near copies" if prompts else ""
        return Finding("near_duplicates", "note" if prompts else "ok", f"no preference is a near copy{near}", value)
    text = f"{len(rows):,} preferences ({part:.1%}) are near copies of another, in {counted(len(whole), 'cluster')}"
    if opposed:
        text += f"; labels are opposite in {opposed:,}"
    ids = tuple(dict.fromkeys(preferences[i].id for i in rows))[:LISTED]
    advice = "keep near copies in one fold (the audit does), and one of each cluster in what you train on"
    return Finding("near_duplicates", "warn" if part > tolerated else "note", text, value, ids, len(rows), advice)


def _kinds(cluster: NDArray[np.int64], texts: Sequence[str]) -> tuple[int, int]:
    """Clusters that hold texts of different wording, and the different texts in them."""
    pairs = {(int(c), text) for c, text in zip(cluster, texts, strict=True) if text}
    _, counts = np.unique([c for c, _ in pairs], return_counts=True)
    return int((counts > 1).sum()), int(counts[counts > 1].sum())


def _keys(
    preferences: Sequence[Preference], texts: Sequence[str], prompt: NDArray[np.int64], threshold: float
) -> tuple[list[tuple], list[tuple]]:
    """Prompt cluster with sorted response clusters, equal for near copies; and the same with exact texts."""
    empty = ~np.array([bool(p.prompt) for p in preferences])
    shared = np.where(empty, -1, prompt)  # rows without a prompt are told apart by their responses alone
    _, at, counts = np.unique(shared, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[at] > 1).tolist()
    answers = {int(i): [r[-1].text if r else "" for r in preferences[i].responses] for i in rows}
    label = clusters([text for own in answers.values() for text in own], threshold=threshold)
    ends = np.cumsum([0, *(len(own) for own in answers.values())])
    near: list[tuple] = [(i,) for i in range(len(preferences))]
    exact: list[tuple] = [(i,) for i in range(len(preferences))]
    for n, (i, own) in enumerate(answers.items()):
        near[i] = (int(shared[i]), *sorted(label[ends[n] : ends[n + 1]].tolist()))
        exact[i] = (texts[i], *sorted(own))
    return near, exact


def _clusters_of(near: list[tuple], exact: list[tuple]) -> list[list[int]]:
    """Rows of every cluster that holds two different texts."""
    found: dict[tuple, list[int]] = {}
    for i, key in enumerate(near):
        found.setdefault(key, []).append(i)
    return [rows for rows in found.values() if len({exact[i] for i in rows}) > 1]


def _opposed(preferences: Sequence[Preference], whole: list[list[int]]) -> int:
    """Clusters of pairs whose better response here is the near copy of the worse one there."""
    count = 0
    for rows in whole:
        pairs = [i for i in rows if len(preferences[i].responses) == 2 and preferences[i].comparisons()]
        strict = [i for i in pairs if not preferences[i].is_tie]
        sides = [_sides(preferences[i]) for i in strict]
        count += _sides_differ(sorted(sides, key=lambda side: [sorted(words) for words in side]))
    return count


def _sides(preference: Preference) -> tuple[frozenset[str], frozenset[str]]:
    better, worse = preference.comparisons()[0]
    words = [frozenset(folded(r[-1].text if r else "").split()) for r in preference.responses]
    return words[better], words[worse]


def _sides_differ(sides: list[tuple[frozenset[str], frozenset[str]]]) -> bool:
    """Is the first pair's better response more like another's worse one than like its better one?"""
    best, worst = sides[0] if sides else (frozenset(), frozenset())
    straight = lambda b, w: _like(best, b) + _like(worst, w)  # noqa: E731
    return any(straight(w, b) > straight(b, w) for b, w in sides[1:])


def _like(one: frozenset[str], other: frozenset[str]) -> float:
    return share(len(one & other), len(one | other))


def _listed(whole: list[list[int]], preferences: Sequence[Preference]) -> list[dict[str, Any]]:
    """The largest clusters by the ids of their members."""
    named = [sorted(preferences[i].id for i in rows) for rows in whole]
    named.sort(key=lambda ids: (-len(ids), ids))
    return [{"size": len(ids), "ids": ids[:MEMBERS]} for ids in named[:CLUSTERS]]
