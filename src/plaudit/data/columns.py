"""Columns by another name: `prompt=question,chosen=good` says which column of the file plays which part."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from plaudit import catalog
from plaudit.errors import OptionError

ROOM = "plaudit.data.layouts"
OWN = frozenset({"annotator", "weight", "strength", "source", "group", "ratings", "images", "tags"})  # read beside


def renames(text: str) -> dict[str, str]:
    """`ours=theirs,...` as {theirs: ours}; every mistake at once.

    >>> renames("prompt=question, chosen=good")
    {'question': 'prompt', 'good': 'chosen'}
    """
    table: dict[str, str] = {}
    mistakes = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        ours, sign, theirs = (piece.strip() for piece in item.partition("="))
        if not (ours and sign and theirs):
            mistakes.append(f"--columns: {item!r} is not of the form name=column")
        elif near := misspelt(ours):
            mistakes.append(f"--columns: no layout knows {ours!r} (did you mean {near!r}?)")
        elif theirs in table or ours in table.values():
            mistakes.append(f"--columns: {theirs if theirs in table else ours!r} is named twice")
        else:
            table[theirs] = ours
    if mistakes:
        raise OptionError(mistakes, advice="for example --columns prompt=question,chosen=good,rejected=bad")
    return table


def misspelt(name: str) -> str:
    """The key that a layout knows and this one is nearly; empty for those that are known, or near to none.

    >>> misspelt("choosen"), misspelt("chosen"), misspelt("my_own_key")
    ('chosen', '', '')
    """
    known = {key for layout in catalog.names(ROOM) for key in re.findall(r"`([^`]+)`", catalog.summary(ROOM, layout))}
    near = [] if name in known | OWN else get_close_matches(name, known | OWN, 1, 0.85)
    return near[0] if near else ""


def rename(row: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any] | str:
    """The row under our names, or the reason why it cannot be; a renamed column wins over one of that name.

    >>> rename({"q": "Why?", "prompt": 3}, {"q": "prompt"})
    {'prompt': 'Why?'}
    """
    missing = [name for name in table if name not in row]
    if missing:
        return f"no column {missing[0]!r}, which --columns names"
    taken = set(table.values())
    out = {key: value for key, value in row.items() if key not in table and key not in taken}
    return out | {ours: row[theirs] for theirs, ours in table.items()}
