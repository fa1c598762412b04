"""What every check promises, as checks that a test or an outside package runs: `for promise in CHECKS: promise(part)`.

A check is `check(columns..., *, options...) -> Finding`; columns are named in the room's docstring, options have
defaults. Its finding is plain JSON, its ids are a hundred distinct ones at most of `count`, the order of rows changes
neither numbers nor words, and nothing that a file can hold makes it raise.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from inspect import Parameter, signature
from types import ModuleType
from typing import Any, get_args

from plaudit.data.findings import Equal, Finding, Status
from plaudit.data.outline import outline
from plaudit.data.read import Row
from plaudit.records import Preference, group, message, pair

COLUMNS = {"outline", "preferences", "equal_pairs", "against"}


def columns(part: ModuleType) -> list[str]:
    """Names of the columns a check reads.

    >>> from plaudit.data.checks import contradictions
    >>> columns(contradictions)
    ['outline']
    """
    return [p.name for p in signature(part.check).parameters.values() if p.kind is not Parameter.KEYWORD_ONLY]


def run(part: ModuleType, preferences: Sequence[Preference], against: Sequence[Preference] = ()) -> Finding:
    """The check on these preferences, whose `source` says where each stands; equal texts count as equal pairs."""
    rows = [Row(p.source or f"file.jsonl:{i}", b"", "canonical", (p,)) for i, p in enumerate(preferences, 1)]
    equal = [
        Equal(i, *of)
        for i, p in enumerate(preferences)
        for of in p.comparisons()
        if p.responses[of[0]] == p.responses[of[1]]
    ]
    found: dict[str, Any] = {
        "outline": outline(rows), "preferences": list(preferences), "equal_pairs": equal, "against": list(against),
    }  # fmt: skip
    return part.check(**{name: found[name] for name in columns(part)})


def awkward() -> list[Preference]:
    """Preferences of every odd kind that a reader lets through."""
    words = "one two three four five six seven eight nine ten"
    turns = (message("system", "Be kind."), message("user", words), message("assistant", "Yes"), message("user", "So?"))
    odd = [
        pair("2+2?", "4", "5", id="plain", annotator="ann"), pair("2+2?", "5", "4", id="opposed", annotator="ann"),
        pair("2+2?", "4", "5", id="plain~2", annotator="ann"), pair("2+2?", "5", "4", id="bob's", annotator="bob"),
        group("2+2?", ("5", "4"), (0, 1), id="swapped", annotator="bob"), pair("", "no prompt", "at all", id="bare"),
        group("2+2?", ("4", "5"), (0, 0), id="tie", annotator="eve"), group("Q", ("a", "b"), None, id="unjudged"),
        group("Q", ("only one",), None, id="one"), group("Q", ("only one",), (0,), id="judged one"),
        group("Q", ("a", "b", "c", "a"), (0, 1, 1, 2), id="list"), pair("Q", "same", "same", id="equal"),
        pair("\ud800 lone \udfff", "\ud83d", "x\udc00", id="lone"), pair("Q", "", " ", id="empty"),
        pair(turns, words + " chosen", words + " rejected", id="turns", tags={"topic": "a"}),
        pair(words + " eleven", words, words + " more", id="near", tags={"topic": "b"}),
        pair("long", "a", "b", id="x" * 200, annotator="two\nlines" * 99, tags={"long\n": "\u202e" * 999}),
        pair("round", "x", "y", id="xy"), pair("round", "y", "z", id="yz"), pair("round", "z", "x", id="zx"),
    ]  # fmt: skip
    return [replace(p, source=f"{'ab'[i % 2]}.jsonl:{i + 1}") for i, p in enumerate(odd)]


def described(part: ModuleType) -> None:
    """A docstring for help, columns that exist, options with defaults."""
    assert (part.__doc__ or "").strip(), part
    assert set(columns(part)) <= COLUMNS, columns(part)
    for p in signature(part.check).parameters.values():
        assert p.kind is not Parameter.KEYWORD_ONLY or p.default is not Parameter.empty, p


def sound(part: ModuleType, finding: Finding) -> None:
    """A finding that a reader and a JSON file can hold."""
    assert finding.name == part.__name__.rsplit(".", 1)[-1]
    assert finding.status in get_args(Status)
    assert finding.text, finding
    assert not finding.text.endswith(".")
    assert "\n" not in finding.text + finding.advice
    assert json.loads(json.dumps(finding.document(), allow_nan=False)) == finding.document()
    assert len(set(finding.ids)) == len(finding.ids) <= 100
    assert finding.count >= len(finding.ids)
    assert not (finding.status in ("ok", "skip") and finding.advice), "advice without a reason"


def survives(part: ModuleType) -> None:
    """Nothing at all, and every odd kind of row alone and together, gives a sound finding."""
    odd = awkward()
    sound(part, empty := run(part, []))
    assert empty.status in ("ok", "skip"), empty
    for some in (*([p] for p in odd), odd, odd * 2):
        sound(part, run(part, some, odd[:3]))


def orderless(part: ModuleType) -> None:
    """The order of the rows changes no number and no word."""
    odd = awkward()
    straight, back = run(part, odd, odd[:3]), run(part, odd[::-1], odd[2::-1])
    assert straight.document() | {"ids": []} == back.document() | {"ids": []}


CHECKS = [described, survives, orderless]
