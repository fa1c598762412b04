"""The same judgement twice: equal prompt, equal responses with equal ranks, equal annotator."""

import numpy as np

from plaudit.data.checks import _judgements as judgements
from plaudit.data.findings import Finding
from plaudit.data.outline import Outline
from plaudit.data.tally import duplicates, judgement_keys


def check(outline: Outline, *, tolerated: float = 0.01) -> Finding:
    """`tolerated`: share of rows up to which repeats are a note; they weigh what they repeat, and leak across splits.

    >>> from plaudit.data.outline import outline
    >>> from plaudit.data.read import Row
    >>> from plaudit.records import pair
    >>> twice = [Row(f"a.jsonl:{i}", b"", "trl", (pair("2+2?", "4", "5"),)) for i in (1, 2)]
    >>> check(outline(twice)).value["repeats"]
    1
    """
    if not len(outline):
        return Finding("exact_duplicates", "skip", "there are no preferences")
    repeat = duplicates(outline)
    _, counts = np.unique(judgement_keys(outline), return_counts=True)
    n = int(repeat.sum())
    value = {
        "repeats": n, "share": judgements.share(n, len(outline)), "repeated": int((counts > 1).sum()),
        "largest": int(counts.max()), "between_files": _between(outline),
    }  # fmt: skip
    if not n:
        return Finding("exact_duplicates", "ok", "no preference repeats another", value)
    verb = "repeats" if n == 1 else "repeat"
    text = f"{n:,} of {len(outline):,} preferences ({value['share']:.1%}) {verb} an earlier one word for word"
    advice = "signals.parquet names the first of each in duplicate_of; leave the repeats out before training"
    ids, count = judgements.ids(outline, np.flatnonzero(repeat))
    warn = value["share"] > tolerated or value["between_files"]
    return Finding("exact_duplicates", "warn" if warn else "note", text, value, ids, count, advice)


def _between(o: Outline) -> int:
    """Judgements that stand in two files or more: a test file that repeats its training file."""
    seen = np.unique(np.column_stack([judgement_keys(o), o.preference["file"].astype(np.uint64)]), axis=0)
    return int((np.unique(seen[:, 0], return_counts=True)[1] > 1).sum())
