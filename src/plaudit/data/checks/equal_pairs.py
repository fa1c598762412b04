"""Pairs whose two responses are the same to the model: equal texts, or equal after the cut to its longest input."""

from collections.abc import Sequence

from plaudit.data.checks._judgements import LISTED, counted, share
from plaudit.data.findings import Finding
from plaudit.records import Preference


def check(preferences: Sequence[Preference], equal_pairs: Sequence[int], *, tolerated: float = 0.01) -> Finding:
    """`tolerated`: share of preferences up to which it is a note. Such a pair teaches nothing, whatever its label.

    >>> from plaudit.records import pair
    >>> check([pair("Q?", "a b", "a c", id="cut")], [0]).value["by_truncation"]
    1
    """
    if not preferences:
        return Finding("equal_pairs", "skip", "there are no preferences")
    rows = sorted(set(equal_pairs))
    same = [i for i in rows if preferences[i].responses[0] == preferences[i].responses[1]]
    cut = len(rows) - len(same)
    part = share(len(rows), len(preferences))
    value = {"pairs": len(rows), "equal_texts": len(same), "by_truncation": cut, "share": part}
    if not rows:
        return Finding("equal_pairs", "ok", "the model sees two different responses in every pair", value)
    text = (
        f"to the model both responses are the same in {counted(len(rows), 'pair')} ({part:.1%}); {cut:,} by truncation"
    )
    advice = "raise --max-length, or leave these rows out" if cut else "leave these rows out: they teach nothing"
    ids = tuple(dict.fromkeys(preferences[i].id for i in rows))[:LISTED]
    return Finding("equal_pairs", "warn" if part > tolerated else "note", text, value, ids, len(rows), advice)
