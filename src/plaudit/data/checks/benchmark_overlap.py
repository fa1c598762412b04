"""Benchmark prompts and responses among these preferences: a model trained on them is not tested by it.

Prompts are compared whole, after folding case and punctuation, then as near copies (Jaccard index of word 3-grams of
0.8 or more, `data.near`, also through a near copy of a near copy). Responses of five words or more count when equal.
"""

from collections.abc import Sequence

import numpy as np

from plaudit.data.checks._judgements import LISTED, share
from plaudit.data.findings import Finding
from plaudit.data.near import SHORT, clusters, folded, prompt_text
from plaudit.records import Preference


def check(
    preferences: Sequence[Preference], against: Sequence[Preference], *, threshold: float = 0.8, unread: int = 0
) -> Finding:
    """`threshold`: least Jaccard index of a near copy. `unread`: rows of the benchmark that could not be compared.

    >>> from plaudit.records import pair
    >>> check([pair("Why is the sky blue?", "a", "b")], [pair("why is the sky BLUE", "c", "d")]).value["exact_prompts"]
    1
    """
    if not preferences or not against:
        what = "preferences" if against else "benchmark rows"
        return Finding("benchmark_overlap", "skip", f"there are no {what} to compare")
    texts = [prompt_text(p, "prompt") for p in (*preferences, *against)]
    n = len(preferences)
    plain = [folded(text) for text in texts]
    theirs = set(plain[n:]) - {""}
    exact = np.array([key in theirs for key in plain[:n]])
    label = clusters(texts, threshold=threshold)
    near = np.isin(label[:n], label[n:]) & ~exact
    turns = {folded(prompt_text(p)) for p in against}
    first = np.array([_long(key := folded(prompt_text(p))) and key in turns for p in preferences]) & ~exact & ~near
    answers = {key for p in against for key in _answers(p)}
    answered = np.array([not answers.isdisjoint(_answers(p)) for p in preferences])
    hit = exact | near | first | answered
    found = {plain[n + i] for i in np.flatnonzero(np.isin(label[n:], label[:n])).tolist()} - {""}
    value = {
        "exact_prompts": int(exact.sum()), "near_prompts": int(near.sum()), "first_turns": int(first.sum()),
        "responses": int(answered.sum()), "preferences": int(hit.sum()), "share": share(hit.sum(), n),
        "benchmark_prompts": len(theirs), "benchmark_prompts_found": len(found), "threshold": threshold,
        "benchmark_rows_unread": unread,
    }  # fmt: skip
    beside = f"; {unread:,} rows of the benchmark could not be read" if unread else ""
    if not hit.any():
        text = f"none of {len(theirs):,} benchmark prompts is among these preferences{beside}"
        return Finding("benchmark_overlap", "ok", text, value)
    text = (
        f"{value['preferences']:,} preferences overlap with the benchmark: {value['exact_prompts']:,} share a prompt, "
        f"{value['near_prompts']:,} a near copy, {value['first_turns']:,} a first turn, "
        f"{value['responses']:,} a response{beside}"
    )
    ids = tuple(dict.fromkeys(preferences[int(i)].id for i in np.flatnonzero(hit)))[:LISTED]
    advice = "leave these rows out of training, or do not report that benchmark"
    return Finding("benchmark_overlap", "warn", text, value, ids, int(hit.sum()), advice)


def _long(key: str) -> bool:
    return key.count(" ") + 1 >= SHORT


def _answers(preference: Preference) -> list[str]:
    """Folded responses of five words or more."""
    keys = (folded(r[-1].text if r else "") for r in preference.responses)
    return [key for key in keys if _long(key)]
