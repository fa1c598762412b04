"""One annotator (or nobody named) prefers each of the same two responses to the other: one of the labels is wrong."""

import numpy as np

from plaudit.data.checks import _judgements as judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.data.tally import contradicting


def check(outline: Outline, *, tolerated: float = 0.01) -> Finding:
    """`tolerated`: share of preferences in a contradiction up to which it is a note.

    >>> from plaudit.data.outline import outline
    >>> from plaudit.data.read import Row
    >>> from plaudit.records import pair
    >>> both = [pair("2+2?", "4", "four", id="a"), pair("2+2?", "four", "4", id="b")]
    >>> found = check(outline([Row("a.jsonl:1", b"", "trl", tuple(both))]))
    >>> found.value["pairs"], found.ids
    (1, ('a', 'b'))
    """
    if not len(outline):
        return Finding("contradictions", "skip", "there are no preferences")
    whose, key = contradicting(outline)
    pairs, rows = len(np.unique(key)), np.unique(whose)
    part = judgements.share(len(rows), len(outline))
    value = {"pairs": pairs, "preferences": len(rows), "share": part}
    if not pairs:
        return Finding("contradictions", "ok", "nobody prefers both of the same two responses", value)
    text = (
        f"one and the same judge orders {judgements.counted(pairs, 'pair')} of responses both ways"
        f" ({part:.1%} of the preferences)"
    )
    ids, count = judgements.ids(outline, rows)
    advice = "one label of each is wrong: signals.parquet names the partner in contradicts; ask that judge again"
    return Finding("contradictions", "warn" if part > tolerated else "note", text, value, ids, count, advice)
