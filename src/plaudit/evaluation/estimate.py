"""What a run would take, before it is made: rows, tokens, time and disk, from a few rows that are really scored."""

from collections.abc import Iterable
from itertools import chain, islice
from time import monotonic
from typing import Any

from plaudit.data.read import read
from plaudit.data.told import told
from plaudit.evaluation.intake import Intake, characters
from plaudit.evaluation.score import said
from plaudit.evaluation.scores import line
from plaudit.records import Preference
from plaudit.rewards.load import Handle
from plaudit.rewards.stream import refusals

TRIED = 32  # preferences, spread over the first thousand
_HEAD = 1024


def estimate(
    scorer: Handle, paths: list, *, with_text: bool = False, members: bool = False, **reading: Any
) -> dict[str, Any]:
    """Counts after reading everything, and seconds, tokens and bytes scaled up by characters from 32 scored rows."""
    intake = Intake()
    rows = intake.preferences_of(told(read(paths, **reading), reading.get("layout")))
    found = of_preferences(scorer, rows, with_text=with_text, members=members)
    intake.refuse_nothing()
    return {"counts": intake.counts(), "rejects": intake.rejects} | found


def of_preferences(
    scorer: Handle, preferences: Iterable[Preference], *, with_text: bool = False, members: bool = False
) -> dict[str, Any]:
    """The same for preferences that are at hand."""
    rest = iter(preferences)
    head = list(islice(rest, _HEAD))
    tried = head[:: max(1, len(head) // TRIED)][:TRIED]
    total = sum(map(characters, chain(head, rest)))
    reasons = refusals(scorer, tried)
    tried = [p for i, p in enumerate(tried) if not (reasons and reasons[i])]
    if not tried:
        return {"characters": total, "tried": 0, "tokens": None, "seconds": 0.0, "bytes": 0}
    scorer.score_all(tried[:1])  # the first call pays for start-up
    begun = monotonic()
    values = said(scorer, tried, members=members)
    seconds = monotonic() - begun
    size = sum(len(line(p, v, scorer.texts(p) if with_text else None, opinion)) for p, v, opinion in values)
    scale = total / max(1, sum(map(characters, tried)))
    tokens = _tokens(scorer, tried)
    return {
        "characters": total, "tried": len(tried), "tokens": None if tokens is None else round(tokens * scale),
        "seconds": seconds * scale, "bytes": round(size * scale),
    }  # fmt: skip


def _tokens(scorer: Handle, preferences: list[Preference]) -> int | None:
    """Tokens that a model computes, each prompt once; None for a scorer without a tokenizer."""
    loaded = getattr(scorer, "loaded", None)
    if loaded is None:
        return None
    from plaudit.models.tokens import encode_all
    from plaudit.models.trees.plan import plan

    return sum(len(tree.tokens) for tree in plan(encode_all(preferences, loaded.policy), budget=1 << 30))
