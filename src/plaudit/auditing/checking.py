"""Run the checks that need no model, each with the columns it names; what asks for tokens comes after the others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit import catalog
from plaudit.auditing.material import Docket, Material
from plaudit.data.findings import Equal, Finding
from plaudit.data.prompts import Prompts, prompts
from plaudit.models.tokens import Encoded, TokenPolicy, encode, equal_after_cut
from plaudit.records import Preference
from plaudit.report.terminal import clean, note
from plaudit.signals.recipes import columns_of

ROOM = "plaudit.data.checks"
WHY = {
    "against": "not asked for: --against FILE names benchmark prompts",
    "equal_pairs": "not looked at: scorers given by --scorer cut texts by rules of their own",
}


def benchmark(files: str) -> Prompts | None:
    """The prompts named by `--against`, with a note on rows that cannot be read; None when nobody named any.

    Raises:
        DataError: a file is missing, or holds no prompt.
    """
    paths = [f.strip() for f in files.split(",") if f.strip()]
    if not paths:
        return None
    found = prompts(paths)
    if found.left:
        total, first = len(found.left) + len(found.preferences), ": ".join(found.left[0])
        note(f"--against: {len(found.left):,} of {total:,} rows hold no prompt, such as {clean(first, 200)}")
    return found


def before(material: Material, against: Prompts | None) -> list[Finding]:
    """Every check of the room that needs no tokens, by name: what can be said before a model is loaded."""
    columns: dict[str, Any] = {"outline": material.seen, "preferences": material.preferences}
    if against is not None:
        columns["against"] = against.preferences
    options = {"benchmark_overlap": {"unread": len(against.left)}} if against is not None else {}
    return [
        _run(name, columns, options.get(name, {})) for name in catalog.names(ROOM) if "equal_pairs" not in _wanted(name)
    ]


def alike(case: Docket, encoded: Sequence[Sequence[Encoded]], policies: Sequence[TokenPolicy]) -> list[Equal]:
    """Comparisons whose two responses are the same tokens to one model or another; places in the material.

    What was cut is encoded again without a limit, to tell the cut from a tokenizer that writes both alike.
    """
    found: dict[tuple[int, int, int], bool] = {}
    for own, policy in zip(encoded, policies, strict=True):
        endless = replace(policy, max_length=1 << 30)
        for place, p, e in zip(case.place, case.preferences, own, strict=True):
            if not (same := _same(p, e)):
                continue
            before = _same(p, encode(p, endless)) if e.dropped_tokens else same
            for of in same:
                key = int(place), *of
                found[key] = found.get(key, True) and of not in before
    return [Equal(*key, cut) for key, cut in found.items()]


def _same(preference: Preference, encoded: Encoded) -> list[tuple[int, int]]:
    """(better, worse) of its comparisons between equal tokens."""
    if not equal_after_cut(encoded):
        return []
    ids = [own.tobytes() for own in encoded.responses]
    return [(i, j) for i, j in preference.comparisons() if ids[i] == ids[j]]


def after(material: Material, equal_pairs: Sequence[Equal] | None) -> list[Finding]:
    """The checks that compare tokens. `equal_pairs`: as `alike` finds them; None when nobody looked."""
    columns: dict[str, Any] = {"outline": material.seen, "preferences": material.preferences}
    if equal_pairs is not None:
        columns["equal_pairs"] = list(equal_pairs)
    return [_run(name, columns, {}) for name in catalog.names(ROOM) if "equal_pairs" in _wanted(name)]


def _wanted(name: str) -> list[str]:
    return columns_of(catalog.load(ROOM, name).check)


def _run(name: str, columns: dict[str, Any], options: dict[str, Any]) -> Finding:
    """One check; where a column that it names is not at hand, that is the finding."""
    missing = [column for column in _wanted(name) if column not in columns]
    if missing:
        return Finding(name, "skip", WHY.get(missing[0], f"needs {missing[0]}"))
    found: Finding = catalog.load(ROOM, name).check(**{column: columns[column] for column in _wanted(name)}, **options)
    return found


def bounded(findings: Sequence[Finding], accuracy: dict[str, Any], out_of_fold: bool) -> list[Finding]:
    """The findings by name, and in `reachable` the lower bound: what the committee reaches on labels it never saw."""
    out = sorted(findings, key=lambda finding: finding.name)
    lower = {name: accuracy[name] for name in ("score", "low", "high")}
    known = out_of_fold and lower["score"] is not None
    return [
        replace(f, value={**f.value, "lower": lower}) if known and f.name == "reachable" and f.value else f for f in out
    ]


def reliability(material: Material, case: Docket) -> NDArray[np.float64]:
    """How often each comparison's annotator is right, as the annotator check estimates it; NaN where nobody can say."""
    from plaudit.data.checks.annotators import reliabilities

    by_name = reliabilities(material.preferences)
    named = [by_name.get(p.annotator, np.nan) for p in case.preferences]
    return np.array(named, np.float64)[case.comparisons.preference]
