"""Is this checkpoint's number the same everywhere? Every path is walked, every known silent defect looked for.

A path is a way in which others get a score from the same files (`paths/`, one file each); a defect is something in
the files that changes numbers without an error (`defects/`, one file each). The reference is transformers' own forward
pass on each whole sequence alone.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np

from plaudit import catalog
from plaudit.doctor.findings import Check, Finding, Report, SkipCheck, broken, healthy
from plaudit.doctor.reading import deviation
from plaudit.doctor.subject import Subject, open_subject
from plaudit.errors import OptionError

PATHS, DEFECTS = "plaudit.doctor.paths", "plaudit.doctor.defects"


def examine(
    checkpoint: str | Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    device: str = "",
    tolerance: float = 1e-5,
    longest: int = 512,
    only: Sequence[str] = (),
    trust_remote_code: bool = False,
    allow_pickles: bool = False,
) -> Report:
    """Walk every path with a fixed dozen of conversations, and look for every known defect.

    Args:
        checkpoint: a folder, a hub id or an embedded model.
        tolerance: largest deviation that passes, relative to max(1, |score|).
        longest: tokens of the longest conversation tried.
        only: names of checks; all of them when empty. Whether it `loads` is always found out.
        trust_remote_code, allow_pickles: let its files run code; off unless the caller trusts them.

    Returns:
        A `Report`; `report.ok` says whether nothing failed.

    Raises:
        PlauditError: nothing loadable is there.
        OptionError: `only` names a check that there is not.

    >>> examine("nowhere/at/all")
    Traceback (most recent call last):
        ...
    plaudit.errors.PlauditError: nowhere/at/all: no such folder
    """
    parts = _parts(only)
    subject = open_subject(
        checkpoint, dtype=dtype, device=device, longest=longest, trust_remote_code=trust_remote_code,
        allow_pickles=allow_pickles,
    )  # fmt: skip
    checks = [_named("loads", _asked(_loads, subject))]
    for part in parts:
        room, _, name = part.__name__.rpartition(".")
        checks.append(
            _named(name, _walk(part, subject, tolerance) if room == PATHS else _asked(part.diagnose, subject))
        )
    family = subject.config.model_type if subject.config else "unknown"
    sequences = len(subject.sample.ids) if _scored(subject) else 0
    walked = {part.__name__.rpartition(".")[2].replace("_", "-") for part in parts if part.__name__.startswith(PATHS)}
    allowed = [c.name for c in checks if c.name in walked and c.status == "pass" and (c.deviation or 0) > tolerance]
    return Report(subject.origin, family, dtype, tolerance, sequences, tuple(checks), tuple(allowed))


def _parts(only: Sequence[str]) -> list[ModuleType]:
    """The paths, then the defects; those that were asked for."""
    homes = {name.replace("_", "-"): room for room in (PATHS, DEFECTS) for name in catalog.names(room)}
    mistakes = []
    for name in only:
        if name not in homes:
            near = get_close_matches(name, homes, 1)
            mistakes.append(f"unknown check {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    if mistakes:
        raise OptionError(mistakes, advice="known: " + ", ".join(homes))
    return [catalog.load(room, name) for name, room in homes.items() if not only or name in only]


def _named(name: str, found: Finding) -> Check:
    return Check(name.replace("_", "-"), found.status, found.deviation, found.advice)


def _loads(subject: Subject) -> Finding:
    """Whether plaudit reads it, whether its template takes the sample, and whether scores differ at all."""
    if subject.loaded is None:
        return broken(f"plaudit cannot use it: {subject.refusal}")
    if len(subject.sample.ids) < 2:
        return broken(f"it takes no conversation of the sample: {(subject.sample.refused or ('no text',))[0]}")
    scores = subject.reference
    if not np.isfinite(scores).all():
        return broken("its scores are not finite; the weights are damaged: take an earlier checkpoint")
    if np.ptp(scores) == 0:
        return broken("it gives every conversation the same score; train it, or take another checkpoint")
    refused = subject.sample.refused
    return healthy(f"{len(refused)} of the sample's 12 conversations left out: {refused[0]}" if refused else "")


def _scored(subject: Subject) -> bool:
    try:
        return subject.loaded is not None and len(subject.reference) > 0
    except Exception:  # told by `loads`
        return False


def _walk(path: ModuleType, subject: Subject, tolerance: float) -> Finding:
    if not _scored(subject):
        return Finding("skip", "there is no score to compare with; see `loads`")
    try:
        found = deviation(path.scores(subject), subject.reference)
    except SkipCheck as reason:
        return Finding("skip", str(reason))
    except Exception as error:  # strangers' checkpoints make strangers' libraries raise anything
        return broken(f"{_said(error)}; {path.ADVICE}")
    if found <= tolerance:
        return healthy(deviation=found)
    allowance = getattr(path, "ALLOWANCE", 1.0)
    if found <= tolerance * allowance:
        return healthy(f"within {allowance:g} times the tolerance, which this path is allowed; {path.WHY}", found)
    return broken(path.ADVICE, None if found == float("inf") else found)


def _asked(diagnose: Callable[[Subject], Finding], subject: Subject) -> Finding:
    try:
        return diagnose(subject)
    except SkipCheck as reason:
        return Finding("skip", str(reason))
    except Exception as error:  # as above: what a stranger's file makes of a question is itself a finding
        return broken(_said(error))


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
