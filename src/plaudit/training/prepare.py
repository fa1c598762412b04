"""From files to what the loop eats: read, split by prompt group, tokenise; every row that falls out is listed."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plaudit.data.pairs import carries_columns, targets
from plaudit.data.read import read
from plaudit.data.split import GroupBy, groups_of, held_out
from plaudit.data.told import told
from plaudit.errors import OptionError, PlauditError
from plaudit.models.tokens import Encoded, encode_all, equal_after_cut
from plaudit.records import Preference, digest
from plaudit.training.batches import Columns
from plaudit.training.options import TrainOptions


@dataclass(frozen=True)
class Part:
    """Preferences of one side of the split, encoded, with their columns."""

    preferences: list[Preference]
    encoded: list[Encoded]
    columns: Columns
    groups: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.preferences)


@dataclass(frozen=True)
class Prepared:
    """What training starts from: both parts, the rows that fell out (where, reason), those whose prompt was cut (where,
    tokens), and digests of what went in.
    """

    train: Part
    held: Part
    dropped: list[tuple[str, str]]
    cut: list[tuple[str, int]]
    counts: dict[str, int]
    digests: dict[str, str]
    carried: int
    rated: str


Gathered = tuple[list[Preference], list[tuple[str, str]], Counter]


def weighted(file: str) -> tuple[str, float]:
    """`FILE:weight` as (file, weight); a path that holds a colon of its own stays whole.

    >>> weighted("a.jsonl:0.5"), weighted("a.jsonl")
    (('a.jsonl', 0.5), ('a.jsonl', 1.0))
    """
    path, _, tail = file.rpartition(":")
    try:
        weight = float(tail)
    except ValueError:
        return file, 1.0
    if not path:
        return file, 1.0
    if not (math.isfinite(weight) and weight >= 0):
        raise OptionError([f"{file}: the weight of a file is a number of at least 0"])
    return path, weight


def gather(files: Sequence[str], *, layout=None, columns=None, ignore_columns: bool = False) -> Gathered:
    """All preferences of the files, the rows rejected (where, reason), and counts.

    `carried` counts the preferences that bring a target, margin or weight of their own; `ignore_columns` takes these
    off. The weight of a file multiplies what is left.
    """
    kept: list[Preference] = []
    dropped: list[tuple[str, str]] = []
    counts: Counter = Counter()
    for file in files:
        path, weight = weighted(file)
        for row in told(read([path], layout=layout, columns=columns), layout):
            counts["rows"] += 1
            if row.reason:
                dropped.append((row.where, row.reason))
            for record in row.records:
                if not isinstance(record, Preference):
                    dropped.append((row.where, "steps are not preferences: process rewards are trained elsewhere"))
                    continue
                if carries_columns(record):
                    counts["ignored" if ignore_columns else "carried"] += 1
                    if ignore_columns:
                        record = replace(record, target=None, margin=0.0, weight=1.0)
                kept.append(replace(record, weight=record.weight * weight) if weight != 1 else record)
    return kept, dropped, counts


def prepare(
    files: Sequence[str], policy, options: TrainOptions, *, layout=None, columns=None, seed: int = 0
) -> Prepared:
    """Read, split and encode.

    Raises:
        PlauditError: nothing that can be trained on is left.
    """
    how = {"layout": layout, "columns": columns, "ignore_columns": options.ignore_columns}
    found, dropped, counts = gather(files, **how)
    if options.eval:
        other, lost, seen = gather([options.eval], **how)
        counts["rows"] += seen["rows"]
        dropped += [(where, f"held-out: {reason}") for where, reason in lost]
        inside = [False] * len(found) + [True] * len(other)
        found = found + other
    else:
        inside = _held(found, options, seed)
    rated = _rating(found, options) if options.pointwise_coefficient else ""
    counts.update(readable=len(found))
    keep, encoded = _encode(found, policy, dropped, rated, counts)
    sides = {}
    for name, wanted in (("train", False), ("held", True)):
        picked = [i for i in keep if inside[i] == wanted]
        sides[name] = _part([found[i] for i in picked], [encoded[i] for i in picked], options.group_by, rated)
    if not len(sides["train"]):
        fell = f" of {len(dropped):,} that fell out: {': '.join(dropped[0])}" if dropped else ""
        advice = "`plaudit inspect` shows what the files hold" if not fell else f"the first{fell}"
        raise PlauditError("no preference is left to train on", advice=advice)
    if not sides["train"].columns.own_weight.any():
        reason = "every preference to train on weighs 0, so nothing would be learned"
        raise PlauditError(
            reason, advice="give the rows or files a weight, or leave the rows' own out: --ignore-columns"
        )
    cut = [(found[i].source or found[i].id, n) for i in keep if (n := encoded[i].dropped_tokens)]
    counts.update(
        different=len(keep), train=len(sides["train"]), held_out=len(sides["held"]), dropped=len(dropped),
        cut=len(cut), cut_tokens=sum(n for _, n in cut),
        shared_groups=len(np.intersect1d(sides["train"].groups, sides["held"].groups)),
    )  # fmt: skip
    digests = {
        "train": data_digest(sides["train"]), "held_out": data_digest(sides["held"]), "tokens": policy.digest,
    }  # fmt: skip
    grades = sides["train"].columns.strength
    if options.margin == "strength" and grades is not None:  # then they are part of what is learned
        digests["strength"] = digest(*map(repr, grades.tolist()))
    return Prepared(sides["train"], sides["held"], dropped, cut, dict(counts), digests, counts["carried"], rated)


def _held(found: Sequence[Preference], options: TrainOptions, seed: int) -> list[bool]:
    if not options.held_out:
        return [False] * len(found)
    return held_out(found, fraction=options.held_out, seed=seed, by=options.group_by).tolist()


def _rating(found: Sequence[Preference], options: TrainOptions) -> str:
    """The rating that rows without a rival are trained on.

    Raises:
        OptionError: several and none chosen, one chosen that no row carries, or labels that the loss cannot take.
    """
    lone = [p for p in found if not p.comparisons()]
    names = Counter(name for p in lone for r in p.ratings for name in r)
    known = "known: " + ", ".join(sorted(names)) if names else "no row without a rival carries a rating"
    if options.rating and options.rating not in names:
        raise OptionError([f"rating: no row carries {options.rating!r}"], advice=known)
    if not options.rating and len(names) > 1:
        raise OptionError(["rows carry several ratings: choose one with --rating"], advice=known)
    name = options.rating or next(iter(names), "")
    for p in lone if options.point_loss == "bce" and name else []:
        for value in (r[name] for r in p.ratings if name in r):
            if not 0 <= value <= 1:
                raise OptionError([f"{p.source or p.id}: bce takes labels from 0 to 1, not {name} {value:g}"])
    return name


def _useless(p: Preference) -> str:
    """Why nothing can be learned from a preference without a comparison and without a rating that is trained on."""
    if p.is_tie:
        return "a list whose responses all tie: none is better than another"
    if any(p.ratings):
        return "it carries no rival, and no rating that is trained on"
    return "nobody judged its responses and it carries no rating to train on"


def _encode(found, policy, dropped, rated, counts) -> tuple[list[int], dict[int, Encoded]]:
    """Indices that can be trained on, and their encodings; what cannot is added to `dropped`.

    `counts` says how many are left after each filter: judged at all, within what the model reads, of unlike tokens.
    """
    usable = []
    for i, p in enumerate(found):
        if p.comparisons() or (rated and any(rated in r for r in p.ratings)):
            usable.append(i)
        else:
            dropped.append((p.source or p.id, _useless(p)))
    encoded, keep = {}, []
    counts.update(judged=len(usable), fitting=len(usable))
    for i, e in zip(usable, encode_all([found[i] for i in usable], policy), strict=True):
        where = found[i].source or found[i].id
        if e.refused:
            dropped.append((where, e.refused))
            counts["fitting"] -= 1
        elif len(e.responses) == 2 and equal_after_cut(e):
            dropped.append((where, "both responses have the same tokens"))
        else:
            encoded[i] = e
            keep.append(i)
    return keep, encoded


def _part(preferences: list[Preference], encoded: list[Encoded], by: GroupBy, rated: str) -> Part:
    c = targets(preferences)
    ratings: list[NDArray[np.float64]] = []
    for p in preferences:
        row = np.full((len(p.responses), 1), np.nan)
        if rated and not p.comparisons():
            for j, values in enumerate(p.ratings):
                row[j, 0] = values.get(rated, np.nan)
        ratings.append(row)
    own = np.array([p.weight for p in preferences], np.float64)
    strength = np.array([p.strength or 0.0 for p in preferences], np.float64)[c.preference]
    columns = Columns(
        c.preference, c.better, c.worse, c.target, c.margin, c.weight, [p.ranks for p in preferences], ratings, own,
        strength,
    )  # fmt: skip
    return Part(preferences, encoded, columns, groups_of(preferences, by))


def data_digest(part: Part) -> str:
    """Digest of everything about the data that training can see, in order."""
    leaves = []
    for p, e in zip(part.preferences, part.encoded, strict=True):
        leaves += [p.id, p.content, repr((p.ranks, p.target, p.margin, p.weight, [dict(r) for r in p.ratings]))]
        leaves.append(str(len(e.prompt) + sum(map(len, e.responses))))
    return digest(*leaves)
