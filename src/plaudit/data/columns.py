"""Columns by another name: `prompt=question,chosen=good` says which column of the file plays which part."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from plaudit import catalog
from plaudit.errors import OptionError
from plaudit.report.terminal import clean

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
        elif not known(ours) and known(theirs):
            mistakes.append(f"--columns: no layout knows {ours!r} (ours comes first: did you mean {theirs}={ours}?)")
        elif theirs in table or ours in table.values():
            mistakes.append(f"--columns: {theirs if theirs in table else ours!r} is named twice")
        else:
            table[theirs] = ours
    if mistakes:
        raise OptionError(mistakes, advice="for example --columns prompt=question,chosen=good,rejected=bad")
    return table


def table_of(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """{theirs: ours} from the words of `--columns`, or from such a table.

    >>> table_of("prompt=q"), table_of({"q": "prompt"}), table_of(None)
    ({'q': 'prompt'}, {'q': 'prompt'}, {})
    """
    return renames(columns) if isinstance(columns, str) else dict(columns or {})


def misspelt(name: str) -> str:
    """The key that a layout knows and this one is nearly; empty for those that are known, or near to none.

    >>> misspelt("choosen"), misspelt("chosen"), misspelt("my_own_key")
    ('chosen', '', '')
    """
    near = [] if known(name) else get_close_matches(name, _names(), 1, 0.85)
    return near[0] if near else ""


def known(name: str) -> bool:
    """Whether some layout reads a column of that name."""
    return name in _names()


def proposal(rows: Sequence[Mapping[str, Any]]) -> str:
    """What --columns might say for rows that no layout recognises: for each part that is missing the first column of
    text that has no part yet, the longest for the prompt where chosen and rejected are there.

    >>> proposal([{"id": 1, "question": "Why?", "good": "So.", "bad": "No."}])
    'prompt=question,chosen=good,rejected=bad'
    >>> proposal([{"chosen": "So.", "rejected": "No.", "kind": "open", "post": "Why is it so?"}])
    'prompt=post'
    """
    texts = {
        key: max(len(str(row.get(key) or "")) for row in rows)
        for key in dict.fromkeys(key for row in rows for key in row)
        if any(isinstance(row.get(key), str | list) for row in rows) and key not in OWN and not _marks(key, rows)
    }
    parts = [name for name in ("prompt", "chosen", "rejected") if name not in texts]
    free = [key for key in texts if key not in ("prompt", "chosen", "rejected")]
    if parts == ["prompt"]:
        free.sort(key=texts.__getitem__, reverse=True)
    if not parts:
        return "prompt=...,chosen=...,rejected=..."
    return ",".join(f"{name}={free.pop(0) if free else '...'}" for name in parts)


def _marks(key: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column holds what is no text of anybody: ids, lists of numbers or of texts.

    >>> _marks("id", [{"id": "a"}]), _marks("rank", [{"rank": [1, 2]}]), _marks("good", [{"good": "So."}])
    (True, True, False)
    """
    held = [row[key] for row in rows if row.get(key) is not None]
    lists = [part for value in held if isinstance(value, list) for part in value]
    return (
        key.lower() in ("id", "ids", "uid", "uuid")
        or key.lower().endswith("_id")
        or not all(isinstance(part, Mapping) for part in lists)
    )


@cache
def _names() -> frozenset[str]:
    """Every name that the summary of a layout sets in backquotes, and those that are read beside."""
    told = (re.findall(r"`([^`]+)`", catalog.summary(ROOM, layout)) for layout in catalog.names(ROOM))
    return OWN.union(*told)


def rename(row: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any] | str:
    """The row under our names, or the reason why it cannot be; a renamed column wins over one of that name.

    >>> rename({"q": "Why?", "prompt": 3}, {"q": "prompt"})
    {'prompt': 'Why?'}
    """
    missing = [name for name in table if name not in row]
    if missing:
        there = ", ".join(sorted(clean(key, 40) for key in row)[:12])
        return f"no column {missing[0]!r}, which --columns names; there are {there}"
    taken = set(table.values())
    out = {key: value for key, value in row.items() if key not in table and key not in taken}
    return out | {ours: row[theirs] for theirs, ours in table.items()}
