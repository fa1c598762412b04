"""Why an audit's verdicts are not to be acted on: what its page says, in the words of a repair."""

from collections.abc import Mapping
from typing import Any

from plaudit.report.pages.audit_words import behind, blind, coin, mere_length, side, voter
from plaudit.report.pages.audit_words import seen as votes_seen


def caution(summary: Mapping[str, Any]) -> str:
    """Why an audit's verdicts are not to be acted on, in words; empty where it found no reason.

    >>> held = {"score": 0.51, "low": 0.46, "high": 0.55}
    >>> caution({"folds": 5, "accuracy": held, "voters": {"scorer": ""}, "members": [1, 2]})
    'the committee agrees with 51.0% of labels (46.0% to 55.0%): it cannot be told from a coin'
    """
    if blind(summary):
        held = summary["accuracy"]
        span = f"{held['score']:.1%} of labels ({held['low']:.1%} to {held['high']:.1%})"
        return f"{voter(summary)} agrees with {span}: {coin(held)}"
    if votes_seen(summary):
        return "its votes may have seen the labels, and a wrong label that was learned looks right"
    if mere_length(summary):
        return f"{voter(summary)} is not surely more than length: it votes for the {side(summary['length'])} response"
    if behind(summary):
        return f"{voter(summary)} is behind length alone"
    return ""
