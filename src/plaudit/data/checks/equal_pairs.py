"""Comparisons whose two responses are the same to the model: equal texts, or made so by its tokenizer or by the cut.

A tokenizer that folds case or spaces writes two texts alike, and so does a template that trims them: nothing was cut,
and no longer input tells them apart. Only what differs before the cut and is equal after it calls for `--max-length`.
"""

from collections import Counter
from collections.abc import Sequence

from plaudit.data.checks._judgements import LISTED, counted, share
from plaudit.data.findings import Equal, Finding
from plaudit.records import Preference


def check(preferences: Sequence[Preference], equal_pairs: Sequence[Equal], *, tolerated: float = 0.01) -> Finding:
    """`tolerated`: share of preferences up to which it is a note. Such a comparison teaches nothing, whatever its
    label. In a list every comparison is looked at.

    >>> from plaudit.records import pair
    >>> check([pair("Q?", "Yes", "yes", id="case")], [Equal(0, 0, 1)]).value["by_tokenizer"]
    1
    """
    if not preferences:
        return Finding("equal_pairs", "skip", "there are no preferences")
    found = sorted(set(equal_pairs))
    why = Counter(_why(preferences[e.place], e) for e in found)
    rows = sorted({e.place for e in found})
    part = share(len(rows), len(preferences))
    value = {"pairs": len(found), "preferences": len(rows), **{name: why[name] for name in WORDS}, "share": part}
    if not found:
        return Finding("equal_pairs", "ok", "the model sees two different responses in every comparison", value)
    parts = ", ".join(f"{why[name]:,} {words}" for name, words in WORDS.items() if why[name])
    where = f"{counted(len(found), 'comparison')} ({part:.1%} of rows)"
    text = f"to the model both responses are the same in {where}: {parts}"
    advice = "leave these rows out: they teach nothing"
    if why["by_tokenizer"]:
        advice = "leave these rows out, or take a model whose tokenizer tells them apart (upper and lower case, spaces)"
    if why["by_truncation"]:
        advice = "raise --max-length for what the cut makes equal; " + advice
    ids = tuple(dict.fromkeys(preferences[i].id for i in rows))[:LISTED]
    return Finding("equal_pairs", "warn" if part > tolerated else "note", text, value, ids, len(rows), advice)


WORDS = {
    "equal_texts": "of equal texts", "by_tokenizer": "made equal by the tokenizer",
    "by_truncation": "equal after the cut to --max-length",
}  # fmt: skip


def _why(preference: Preference, equal: Equal) -> str:
    if preference.responses[equal.better] == preference.responses[equal.worse]:
        return "equal_texts"
    return "by_truncation" if equal.cut else "by_tokenizer"
