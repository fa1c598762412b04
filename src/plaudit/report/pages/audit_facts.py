"""How an audit was made, as the last section of its page says it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from plaudit.report.pages.audit_words import models
from plaudit.report.pages.frame import number


def member(label: str) -> str:
    """A member without its seed, which says nothing to a reader.

    >>> member("tiny layer 2 read, linear, seed 36077")
    'tiny layer 2 read, linear'
    """
    return re.sub(r", seed \d+$", "", label)


def facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the audit was made, for the last section."""
    voters, temperature = found["voters"], found["temperature"]
    count = ("members", f"{len(found['members']):,}")
    asked = [("trunk", voters["model"]), count, ("heads", voters["heads"])]
    if not voters["model"]:  # given scorers have no heads of this audit's making
        asked = [("voted", f"{models(found)}: {voters['scorer']}" if count[1] != "1" else models(found))]
    who = "members" if voters["model"] else "given scorers"
    folds = f"{found['folds']}, by prompt group" if found["folds"] else f"none: {who} voted on rows they may have seen"
    return [
        *asked, ("folds", folds),
        ("precision", voters["dtype"]), ("seed", str(voters["seed"])),
        ("temperature of p_disagree, per fold", _temperature(list(temperature.values()))),
    ]  # fmt: skip


def _temperature(found: Sequence[float | None]) -> str:
    """The temperature of every fold; those without an end are counted.

    >>> _temperature([1.5, None]), _temperature([None, None])
    ('1.500; infinite in 1 of 2 folds (the votes say nothing)', 'infinite in 2 of 2 folds (the votes say nothing)')
    """
    known, n = [number(t) for t in found if t is not None], len(found)
    folds = f"{n - len(known)} of {n} fold{'' if n == 1 else 's'}"
    infinite = [f"infinite in {folds} (the votes say nothing)"] if len(known) < n else []
    return "; ".join([*([", ".join(known)] if known else []), *infinite])
