"""What becomes of one row: its values after the rulings on its comparisons, or why it stays as it is."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isclose
from types import ModuleType
from typing import Any, Literal, NamedTuple

from plaudit.data.layouts._fields import decoded, encoded, number
from plaudit.errors import DataError
from plaudit.records import Preference, Record

COLUMNS = ("margin", "target", "weight", "strength")
MarginSign = Literal["negate", "keep", "abs"]
SEVERAL = "several judgements in one row, which cannot each have columns of their own (--as-pairs writes them)"
LIST = "a list of more than two responses (--as-pairs writes its comparisons)"
TIE = "a tie of the file stays a tie"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What treatments decided about one comparison, in the orientation it came in; `label` is what it came with.

    `margin` is None where none was decided; a decided 0 goes before a margin of the file. `why`: the treatments that
    touched it. `facts`: id, better, worse and signals, as the ledger shows them.
    """

    target: float
    margin: float | None
    weight: float
    label: float
    why: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def flipped(self) -> bool:
        return self.target < 0.5


@dataclass(frozen=True, slots=True)
class Manner:
    """How columns are written: `fill` on every pair of the file, `strength` where asked."""

    fill: frozenset[str] = frozenset()
    strength: Literal["auto", "always", "never"] = "auto"
    margin_sign: MarginSign = "negate"


class Change(NamedTuple):
    """A row after its rulings: `after` its values (None: it is dropped), and what was done to each comparison."""

    after: dict[str, Any] | None
    done: tuple[tuple[str, ...], ...]


class Left(NamedTuple):
    """A row that stays as it is although its comparisons were ruled on, and why."""

    reason: str


class Values(NamedTuple):
    """What a loss reads of a comparison: texts in the order better, worse, and its columns."""

    better: Any
    worse: Any
    target: float
    margin: float
    weight: float


def values_of(record: Preference) -> Values:
    """What a loss reads of a pair."""
    i, j = record.comparisons()[0]
    target = (0.5 if record.is_tie else 1.0) if record.target is None else record.target
    return Values(record.responses[i], record.responses[j], target, record.margin, record.weight)


def ruled(record: Preference, ruling: Ruling | None, sign: MarginSign = "negate") -> Values:
    """What a loss shall read of a pair as it will stand: sides exchanged when it was flipped.

    A ruling composes with the file's own columns: weights multiply; a target turns the own one round as often as it
    doubts it, t o + (1 - t)(1 - o); a margin goes before the own one. A flip turns the label round, so an own target
    stays with the label and an own margin is negated.

    >>> from plaudit.records import pair
    >>> turned = ruled(pair("q", "a", "b", target=0.9, margin=0.5), Ruling(0.0, None, 1.0, 1.0, ("flip",), {}))
    >>> turned.better[0].text, turned.target, turned.margin
    ('b', 0.9, -0.5)
    """
    own = values_of(record)
    if ruling is None:
        return own
    sides = (own.worse, own.better) if ruling.flipped else (own.better, own.worse)
    belief = 1 - ruling.target if ruling.flipped else ruling.target
    target, margin, weight = own.target, own.margin, own.weight  # to the last digit, where nothing was decided
    if belief != ruling.label:
        target = tidy(belief * own.target + (1 - belief) * (1 - own.target))
    if ruling.margin is not None:
        margin = tidy(ruling.margin)
    if ruling.flipped:
        margin = signed(margin, sign)
    if ruling.weight != 1:
        weight = tidy(own.weight * ruling.weight)
    return Values(*sides, target, margin, weight)


def asked(record: Preference, ruling: Ruling, sign: MarginSign = "negate") -> tuple[str, ...]:
    """What a ruling asks of a comparison, by the names under which it is counted.

    >>> from plaudit.records import pair
    >>> asked(pair("q", "a", "b"), Ruling(0.0, -2.0, 0.5, 1.0, ("flip", "margin", "weight"), {}))
    ('flip', 'margin', 'weight')
    """
    if ruling.weight == 0:
        return ("drop",)
    if (ruling.target, ruling.margin, ruling.weight) == (ruling.label, None, 1):
        return ()  # most comparisons
    own, wanted = values_of(record), ruled(record, ruling, sign)
    words = ["flip"] if ruling.flipped else []
    if wanted.target != own.target:
        words.append("tie" if ruling.facts.get("decision") == "tie" else "soften")  # softened may come to 1/2 too
    if ruling.margin is not None and wanted.margin != own.margin:
        words.append("margin")
    return tuple(words) + (("weight",) if wanted.weight != own.weight else ())


def signed(value: float, sign: MarginSign) -> float:
    """A difference between the sides after they were exchanged, as `--margin-sign` wants it written."""
    return {"negate": 0.0 - value, "keep": value, "abs": abs(value)}[sign]


def tidy(number: float) -> float:
    """Six digits, since columns are read by people too; no negative zero, and nothing small becomes 0 (a drop).

    >>> tidy(-0.0), tidy(0.123456789), tidy(1.23456789e-9)
    (0.0, 0.123457, 1.23457e-09)
    """
    return float(f"{number:.6g}") + 0.0


def revised(
    part: ModuleType, row: dict[str, Any], records: Sequence[Record], rulings: Sequence[Ruling | None], manner: Manner,
    *, whole: bool = True,
) -> Change | Left | None:  # fmt: skip
    """A row's values after the rulings on its records, one each; None when nothing changes.

    Pairs only: a list stays. `whole`: every judgement of the row was read. Of several judgements each may be flipped;
    what would need a column of its own is left out. What comes out is parsed again by the layout `part`, and a row that
    does not read as it was ruled stays as it is.
    """
    pairs = [r for r in records if isinstance(r, Preference) and len(r.responses) == 2 and r.comparisons()]
    if not pairs or len(pairs) != len(records):
        return None
    if all(ruling is not None and ruling.weight == 0 for ruling in rulings):
        return Change(None, tuple(("drop",) for _ in rulings)) if whole else Left(SEVERAL)
    if len(pairs) == 1 and whole:
        return _pair(part, row, pairs[0], rulings[0], manner)
    turned = [_turns(record, ruling, manner) for record, ruling in zip(pairs, rulings, strict=True)]
    if not any(turned):
        needs = (r is not None and asked(p, r, manner.margin_sign) for p, r in zip(pairs, rulings, strict=True))
        return Left(SEVERAL) if any(needs) else None
    after, wanted = deepcopy(row), []
    for record, turn in zip(pairs, turned, strict=True):
        own = values_of(record)
        wanted.append(own._replace(better=own.worse, worse=own.better) if turn else own)
        if turn and (failed := _swap(part, after, record)):
            return failed
    return _checked(part, Change(after, tuple(("flip",) if turn else () for turn in turned)), wanted)


def _turns(record: Preference, ruling: Ruling | None, manner: Manner) -> bool:
    """Whether one of several judgements is flipped: for good, not softened, and without a margin of the whole row."""
    if ruling is None or not ruling.flipped or ruling.weight == 0 or 1 - ruling.target != ruling.label:
        return False
    return signed(record.margin, manner.margin_sign) == record.margin


def _pair(
    part: ModuleType, row: dict[str, Any], record: Preference, ruling: Ruling | None, manner: Manner
) -> Change | Left | None:
    own, wanted = values_of(record), ruled(record, ruling, manner.margin_sign)
    if wanted == own and not manner.fill and manner.strength != "always":
        return None  # most rows, and copying them is what costs
    after = deepcopy(row)
    if ruling is not None and ruling.flipped:
        if failed := _swap(part, after, record):
            return failed
        _carry(part, after, record, manner)
    changed = {name for name in ("target", "margin", "weight") if getattr(wanted, name) != getattr(own, name)}
    for name in COLUMNS:
        if name != "strength" and (name in changed or (name in manner.fill and not _holds(row, name, own))):
            after[name] = getattr(wanted, name)
    if ruling is not None and _wants_strength(row, record, manner):
        after["strength"] = tidy(-ruling.facts["mean"] if ruling.flipped else ruling.facts["mean"])
    if after == row:
        return None
    done = asked(record, ruling, manner.margin_sign) if ruling is not None else ()
    return _checked(part, Change(after, (done or ("columns",),)), [wanted], record if row.get("ratings") else None)


def _holds(row: Mapping[str, Any], name: str, own: Values) -> bool:
    """Whether the row has this column already, with the value that it is read as."""
    return row.get(name) is not None and row[name] == getattr(own, name)


def _wants_strength(row: Mapping[str, Any], record: Preference, manner: Manner) -> bool:
    if manner.strength == "auto":
        return bool(manner.fill) and record.strength is None
    return manner.strength == "always"


def _swap(part: ModuleType, row: dict[str, Any], record: Preference) -> Left | None:
    if not hasattr(part, "swap"):
        return Left(f"the layout {part.__name__.rsplit('.', 1)[-1]} has no way to exchange sides (--as-pairs has)")
    part.swap(row, record)
    return None


def _carry(part: ModuleType, row: dict[str, Any], record: Preference, manner: Manner) -> None:
    """Our own columns that speak of the sides: ratings go with their texts, a strength turns with the label."""
    if record.strength is not None and row.get("strength") not in (None, ""):
        own = number(row, "strength", "")
        turned = signed(own, manner.margin_sign)
        if turned != own:
            row["strength"] = int(turned) if isinstance(row["strength"], int) else turned
    if record.ratings and row.get("ratings"):
        found = next(iter(part.parse(row, where="")))
        if found.responses != record.responses:  # the texts moved, not the verdict
            cell = row["ratings"]
            rated = decoded(cell, "ratings", "")[::-1]
            row["ratings"] = encoded(rated) if isinstance(cell, str) else rated


def _rated(record: Preference) -> list[tuple[Any, Any]]:
    """Which response has which rating, in the order better, worse."""
    i, j = record.comparisons()[0]
    return [(record.responses[k], record.ratings[k]) for k in (i, j)] if record.ratings else []


def _checked(
    part: ModuleType, change: Change, wanted: Sequence[Values], before: Preference | None = None
) -> Change | Left:
    """The change, if the layout reads it as it was meant; every response of `before` keeps its rating."""
    try:
        found = list(part.parse(change.after, where=""))
    except DataError as error:
        return Left(f"would not read back: {error.reason}")
    pairs = [r for r in found if isinstance(r, Preference) and r.comparisons()]
    read = [values_of(r) for r in pairs]
    if before is not None and any(_rated(r) not in (_rated(before), _rated(before)[::-1]) for r in pairs):
        return Left(f"the layout {part.__name__.rsplit('.', 1)[-1]} would give the ratings to other responses")
    if len(read) == len(wanted) and all(_agree(a, b) for a, b in zip(read, wanted, strict=True)):
        return change
    return Left(f"the layout {part.__name__.rsplit('.', 1)[-1]} cannot hold what was decided (--as-pairs can)")


def _agree(one: Values, two: Values) -> bool:
    """Equal, but for the last digits of a mirrored label; the sides of a tie are in no order."""
    if not all(isclose(a, b, abs_tol=1e-9) for a, b in zip(one[2:], two[2:])):
        return False
    return one[:2] == two[:2] or (one.target == 0.5 and one[:2] == two[:2][::-1])
