"""FairIF: weights that even out the loss between groups of a small validation set, and training again with them.

Stage one: a head on all training rows, the influence of every row on every validation group, weights in closed form
(`signals.fairness`). Stage two: the head again, from scratch, with the weights. Only validation rows have groups.
arXiv 2201.05759; its objective is reconstructed, see `signals.fairness`.

A word of care: groups can also be made equal by serving the better ones worse. So every trial reports each group
before and after, and the accuracy over all with its interval.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.influence import Effects, Head, Judged, Rows, effects, fit_head, judged, unit_scale
from plaudit.auditing.influence_noise import pick_ridge
from plaudit.data.checks._parts import tails
from plaudit.data.pairs import Comparisons
from plaudit.errors import OptionError, PlauditError
from plaudit.metrics.disparity import by_group, squared_gaps, widest_gap
from plaudit.metrics.intervals import Interval, mean_interval
from plaudit.records import Preference
from plaudit.signals.fairness import Fairness, fair_weights
from plaudit.training.heads import RIDGES

FEWEST = 20  # validation rows below which a group's loss is mostly chance; such groups are left out and named
GROUPS = ("annotator", "source", "longer")  # and tag:NAME
PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01)


@dataclass(frozen=True)
class Standing:
    """How a head serves groups on some rows: `loss`, `accuracy` [G] (ties of labels aside), and all rows together."""

    names: tuple[str, ...]
    rows: NDArray[np.int64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    overall: float
    interval: Interval

    @property
    def loss_gap(self) -> float:
        """Widest gap in loss between two groups."""
        return widest_gap(self.loss)

    @property
    def accuracy_gap(self) -> float:
        """Widest gap in accuracy."""
        return widest_gap(self.accuracy)


@dataclass(frozen=True)
class Trial:
    """One penalty: the weights, the head trained again with them, validation losses before, foreseen and come about."""

    penalty: float
    fair: Fairness
    head: Head
    before: NDArray[np.float64]
    realised: NDArray[np.float64]

    @property
    def foreseen(self) -> float:
        """Predicted change of the sum of squared gaps."""
        return squared_gaps(self.fair.predicted) - squared_gaps(self.before)

    @property
    def came(self) -> float:
        """What training again changed it by."""
        return squared_gaps(self.realised) - squared_gaps(self.before)


@dataclass(frozen=True)
class FairIF:
    """The plain head, what every training row does to each group, one trial a penalty; `small`: groups left out."""

    head: Head
    seen: Effects
    trials: tuple[Trial, ...]
    small: tuple[str, ...]


class Weighed(NamedTuple):
    """Stage one: the plain `head`, the validation `groups`, what every row does to each, one `fair` a penalty;
    `small`: groups left out."""

    head: Head
    groups: Judged
    seen: Effects
    fair: tuple[Fairness, ...]
    small: tuple[str, ...]


def weigh(
    train: Rows, judge: Rows, kind: NDArray, *, ridge: float, penalties: Sequence[float] = PENALTIES,
    largest: float = 2.0, fewest: int = FEWEST,
) -> Weighed:  # fmt: skip
    """Weights of the training rows for every penalty; `kind` [V] names the groups of the validation rows, "" none.

    Raises:
        PlauditError: fewer than two groups have `fewest` validation rows.
    """
    head = fit_head(train, ridge)
    groups = judged(head, judge, kind, fewest=fewest)
    small = tuple(sorted(set(np.asarray(kind).astype(object)) - set(groups.names) - {""}))
    if len(groups.names) < 2:
        raise PlauditError(
            f"FairIF needs two groups of at least {fewest} validation rows; there {_are(len(groups.names))}"
        )
    seen = effects(head, train, groups)
    fair = tuple(fair_weights(seen.loss, seen.effect, penalty=penalty, largest=largest) for penalty in penalties)
    return Weighed(head, groups, seen, fair, small)


def fairif(
    train: Rows, judge: Rows, kind: NDArray, *, ridge: float, penalties: Sequence[float] = PENALTIES,
    largest: float = 2.0, fewest: int = FEWEST,
) -> FairIF:  # fmt: skip
    """Both stages for every penalty; `kind` [V] names the groups of the validation rows, "" none.

    Raises:
        PlauditError: fewer than two groups have `fewest` validation rows.
    """
    found = weigh(train, judge, kind, ridge=ridge, penalties=penalties, largest=largest, fewest=fewest)
    head, groups = found.head, found.groups
    trials = []
    for penalty, fair in zip(penalties, found.fair, strict=True):
        again = fit_head(train.weighing(train.weight * fair.weight), ridge, scale=head.scale)
        realised = by_group(again.losses(judge), groups.code, len(groups.names))
        trials.append(Trial(penalty, fair, again, found.seen.loss, realised))
    return FairIF(head, found.seen, tuple(trials), found.small)


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def standing(head: Head, rows: Rows, kind: NDArray, clusters: NDArray) -> Standing:
    """How a head serves every group of `rows`, and all of them, those of no group ("") included; the interval of the
    overall accuracy is clustered by prompt group.
    """
    return standing_of(head.losses(rows), head.margins(rows), rows.target, kind, clusters)


def standing_of(
    loss: NDArray[np.float64], margin: NDArray[np.float64], target: NDArray[np.float64], kind: NDArray,
    clusters: NDArray,
) -> Standing:  # fmt: skip
    """The same from losses and margins [P], which may come from several heads, each on rows it never saw."""
    kind = np.asarray(kind).astype(object)
    names = np.unique(kind[kind != ""])
    code = np.where(kind == "", -1, np.searchsorted(names, kind))
    strict = target != 0.5
    gap = margin * np.sign(target - 0.5)
    right = (gap > 0) + 0.5 * (gap == 0)
    return Standing(
        tuple(str(n) for n in names), np.bincount(code[code >= 0], minlength=len(names)),
        by_group(loss, code, len(names)), by_group(right, np.where(strict, code, -1), len(names)),
        float(right[strict].mean()) if strict.any() else float("nan"), mean_interval(right[strict], clusters[strict]),
    )  # fmt: skip


class Crossed(NamedTuple):
    """Cross-fitted `weight` [penalties, P]; `small`: groups that had too few rows, and in how many folds."""

    weight: NDArray[np.float64]
    small: dict[str, int]


def crossed(
    rows: Rows, kind: NDArray, fold: NDArray[np.int64], *, penalties: Sequence[float], ridge: float | None = None,
    largest: float = 2.0, fewest: int = FEWEST, ridges: Sequence[float] = RIDGES,
) -> Crossed:  # fmt: skip
    """Fair weights of every comparison where no validation set stands apart.

    Each fold in turn is the validation set of heads trained on the others; a row's weight is the mean of those that
    it was given while it was a training row, so no weight rests on the row's own group. `ridge`: of all heads; None
    picks the one of `ridges` that does best on the other folds.

    Raises:
        PlauditError: fewer than two groups have `fewest` rows in a fold; `thin` tells it before.
    """
    kinds = np.unique(fold)
    total = np.zeros((len(penalties), len(rows)))
    small: Counter[str] = Counter()
    for f in kinds:
        away, seen = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        inner = rows.take(seen)
        stiff = pick_ridge(inner, fold[seen], ridges, unit_scale(inner.x)) if ridge is None else ridge
        found = weigh(
            inner, rows.take(away), kind[away], ridge=stiff, penalties=penalties, largest=largest, fewest=fewest
        )
        total[:, seen] += np.stack([fair.weight for fair in found.fair])
        small.update(set(kind.astype(object)) - set(found.groups.names) - {""})
    return Crossed(total / max(len(kinds) - 1, 1), dict(sorted(small.items())))


def cross_fitted(rows: Rows, kind: NDArray, fold: NDArray[np.int64], *, penalty: float = 1.0, **how: Any) -> NDArray:
    """`fair_weight` of every comparison [P]: `crossed` for one penalty, with its other options."""
    return crossed(rows, kind, fold, penalties=(penalty,), **how).weight[0]


def thin(kind: NDArray, fold: NDArray[np.int64], fewest: int = FEWEST) -> str:
    """Which fold has fewer than two groups of `fewest` rows, in words; "" when `crossed` can go through all.

    >>> fold = np.repeat([0, 1], 30)
    >>> thin(np.tile(["a", "b"], 30), fold, 15), thin(np.repeat(["a", "b"], 30), fold, 15)
    ('', 'in fold 1 of 2 only a (30) has 15 comparisons or more')
    """
    kinds = np.unique(fold)
    for place, f in enumerate(kinds, 1):
        names, counts = np.unique(kind[fold == f].astype(object), return_counts=True)
        large = [f"{name} ({n})" for name, n in zip(names, counts, strict=True) if name and n >= fewest]
        if len(large) < 2:
            only = f"only {large[0]} has" if large else "no group has"
            return f"in fold {place} of {len(kinds)} {only} {fewest} comparisons or more"
    return ""


def known_groups(by: str) -> bool:
    """Does `kinds_of` know such groups?

    >>> known_groups("longer"), known_groups("tag:topic"), known_groups("tag:"), known_groups("topic")
    (True, True, False, False)
    """
    return by in GROUPS or (by.startswith("tag:") and len(by) > 4)


def kinds_of(preferences: Sequence[Preference], comparisons: Comparisons, by: str) -> NDArray[np.str_]:
    """The group of every comparison [P]: `annotator`, `source` (its file), `longer` (is the better answer the longer
    one?), or `tag:NAME`; "" where the row does not say.

    >>> from plaudit.data.pairs import targets
    >>> from plaudit.records import pair
    >>> some = [pair("Hi", "Hello there", "Hey"), pair("Hi", "a", "bc")]
    >>> kinds_of(some, targets(some), "longer").tolist()
    ['chosen longer', 'chosen shorter']

    Raises:
        OptionError: an unknown kind of group.
    """
    if by == "longer":
        rows = zip(comparisons.preference, comparisons.better, comparisons.worse, strict=True)
        return np.array([_longer(preferences[i], b, w) for i, b, w in rows], str)
    if by == "annotator":
        each = [p.annotator for p in preferences]
    elif by == "source":
        paths = [p.source.rpartition(":")[0] for p in preferences]
        files = list(dict.fromkeys(paths))
        named = dict(zip(files, tails(files), strict=True))
        each = [named[path] for path in paths]
    elif by.startswith("tag:"):
        each = [p.tags.get(by[4:], "") for p in preferences]
    else:
        raise OptionError([f"unknown groups {by!r}"], advice=f"known: {', '.join(GROUPS)}, tag:NAME")
    return np.array(each, object)[comparisons.preference]


def _longer(preference: Preference, better: int, worse: int) -> str:
    a, b = (len(preference.responses[k][-1].text) if preference.responses[k] else 0 for k in (better, worse))
    return "equal" if a == b else "chosen longer" if a > b else "chosen shorter"
