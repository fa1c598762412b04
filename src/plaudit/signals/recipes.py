"""Treatments by name, in order, with their options; the paper's combined recipes; one default."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from plaudit import catalog
from plaudit.errors import OptionError
from plaudit.signals.select import CONDITIONS, selected
from plaudit.signals.targets import Targets, unchanged

ROOM = "plaudit.signals.treatments"
SIGNALS = ("mean", "p_disagree", "p_wrong")  # what conditions are about
PERSON = "decide"  # the treatment that obeys a person's decisions; nobody asks for it by name
PRESETS: dict[str, tuple[str, ...]] = {
    "default": ("mend",),
    "flip-10": ("flip:quantile=0.1",),
    "flip-10-margin": ("flip:quantile=0.1", "margin:mode=signed"),
    "soft-margin": ("smooth:alpha=0.2,below=0", "margin:mode=signed"),
}  # Secrets of RLHF, part II: the combined recipes it compares


@dataclass(frozen=True)
class Step:
    """One treatment with its options, as it was asked for."""

    name: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return self.name + (":" + ",".join(f"{k}={v}" for k, v in self.options.items()) if self.options else "")


def steps(asked: Iterable[str]) -> list[Step]:
    """Treatments from words such as `flip`, `flip:quantile=0.1` or a preset's name; every mistake at once.

    >>> [str(s) for s in steps(["soft-margin"])]
    ['smooth:alpha=0.2,below=0.0', 'margin:mode=signed']
    """
    out: list[Step] = []
    mistakes: list[str] = []
    unknown = False  # a name, not an option of one
    for word in asked:
        for text in PRESETS.get(word, (word,)):
            try:
                out.append(_step(text))
            except OptionError as error:
                mistakes += error.mistakes
                unknown |= bool(error.advice)
    if mistakes:
        own = (name.replace("_", "-") for name in catalog.names(ROOM) if name != PERSON)
        known = "known treatments: " + ", ".join(sorted([*own, *PRESETS]))
        raise OptionError(mistakes, advice=known if unknown else "")
    return out


def _step(text: str) -> Step:
    name, _, rest = text.partition(":")
    name = name.strip().replace("-", "_")
    part = catalog.load(ROOM, name)
    hints, takes = get_type_hints(part.treat), options_of(part.treat)
    if not set(CONDITIONS) & set(takes) and "decision" not in columns_of(part.treat):  # a person chose the rows
        takes += CONDITIONS
    options: dict[str, Any] = {}
    mistakes = []
    for item in filter(None, (piece.strip() for piece in rest.split(","))):
        key, sign, value = (piece.strip() for piece in item.partition("="))
        if not sign or key not in takes:
            have = ", ".join(takes) or "none"
            mistakes.append(f"treatment {name}: unknown option {item!r} (its options: {have})")
            continue
        try:
            options[key] = _value(value, hints.get(key, float))
        except ValueError as error:
            mistakes.append(f"treatment {name}: {key} {error}")
    if mistakes:
        raise OptionError(mistakes)
    return Step(name, options)


def _value(text: str, hint: Any) -> Any:
    """The option's value; a ValueError says in words what it must be."""
    if get_origin(hint) is Literal:
        known = get_args(hint)
        if text not in known:
            raise ValueError(f"must be {', '.join(known[:-1])} or {known[-1]}, not {text!r}")
        return text
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"cannot be {text!r}, which is not a {'finite ' if np.isinf(number) else ''}number")
    return number


def options_of(function: Callable) -> list[str]:
    """Names of the keyword-only options of a treatment."""
    return [p.name for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]


def columns_of(function: Callable) -> list[str]:
    """Names of the columns a treatment reads."""
    return [p.name for p in signature(function).parameters.values() if p.kind is not Parameter.KEYWORD_ONLY]


def treat(
    columns: Mapping[str, NDArray], plan: Sequence[Step], label: NDArray[np.float64]
) -> tuple[Targets, list[NDArray[np.bool_]]]:
    """Apply the steps in order to labels [P] (1, or 1/2 for a tie); also which rows each step changed.

    A step changes the rows that meet its conditions (`select.selected`), or those its treatment names in `UNLESS_TOLD`.

    `columns`: signals by name, and whatever else a treatment reads (`decision`).

    Raises:
        OptionError: a treatment reads a column that is not there.
    """
    return _treated(columns, plan, label, unchanged(label))


def with_margin(columns: Mapping[str, NDArray], plan: Sequence[Step], label: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The rows [P] whose margin a step of the plan decided, be it as 0; the margin of the others stays a file's own."""
    blank = unchanged(label).having(margin=np.full(len(label), np.nan))
    return ~np.isnan(_treated(columns, plan, label, blank)[0].margin)


_ASKED = {"fair_weight": "audit again with --fair-by", "p_wrong": "audit again with --noise uniform"}


def _treated(
    columns: Mapping[str, NDArray], plan: Sequence[Step], label: NDArray[np.float64], now: Targets
) -> tuple[Targets, list[NDArray[np.bool_]]]:
    touched = []
    for step in plan:
        part = catalog.load(ROOM, step.name)
        own = {"label": label, "target": now.target, "margin": now.margin, "weight": now.weight}
        takes = options_of(part.treat)
        where = {k: v for k, v in step.options.items() if k not in takes} or getattr(part, "UNLESS_TOLD", {})
        reads = [*columns_of(part.treat), *(SIGNALS if where else ())]
        missing = [name for name in reads if name not in own and name not in columns]
        if missing:
            mistake = f"treatment {step.name} needs the column {missing[0]!r}, which the audit has not"
            raise OptionError([mistake], advice=_ASKED.get(missing[0], ""))
        given = {name: own.get(name, columns.get(name)) for name in columns_of(part.treat)}
        after = part.treat(**given, **{k: v for k, v in step.options.items() if k in takes})
        if where:
            mean, p_disagree, p_wrong = (columns[name] for name in SIGNALS)
            after = _only(selected(mean, p_disagree, p_wrong, now.target, **where), after, now)
        differs = (after.target != now.target) | (after.margin != now.margin) | (after.weight != now.weight)
        touched.append(differs)
        now = after
    return now, touched


def _only(rows: NDArray[np.bool_], after: Targets, before: Targets) -> Targets:
    """The treated columns in these rows, the others as they were."""
    names = ("target", "margin", "weight")
    return Targets(*(np.where(rows, getattr(after, name), getattr(before, name)) for name in names))
