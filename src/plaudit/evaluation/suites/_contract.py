"""What every suite passes on its own data; outside suites may run the same checks.

A suite is one file: VERSION (raised when a number could change), TIES (the official rule), CONSTANT (the headline of a
scorer that gives one number to everything), `load`, `measure`, `combine`; if it likes `stored` (its own result rows)
and `coverage` (what the files lack). A key of `combine` is `overall`, `macro`, a leaf, the beginning of leaves, or such
a beginning with `/macro`.
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from plaudit.evaluation.suites._files import is_withheld
from plaudit.metrics.outcomes import Outcomes
from plaudit.records import Preference
from plaudit.rewards import random
from plaudit.seeds import generator


def check(suite: ModuleType, folder: Path) -> None:
    """Every check in turn; AssertionError says which promise is broken."""
    assert isinstance(suite.VERSION, int)
    assert suite.TIES in ("loss", "half", "win")
    items = check_load(suite, folder)
    scores = random.scorer().score_all(items)
    found = check_measure(suite, items, scores)
    check_keys(suite, found)
    check_random(suite, found)
    check_constant(suite, items)
    check_order(suite, items, scores)


def check_load(suite: ModuleType, folder: Path) -> list[Preference]:
    """Rows with distinct ids and a leaf, the same on every call; the ones whose text can be scored come back."""
    items, again = suite.load(folder), suite.load(folder)
    assert [p.id for p in items] == [p.id for p in again], "load gives the same rows in the same order"
    assert len({p.id for p in items}) == len(items), "ids are distinct"
    assert all(p.source and p.tags.get("leaf") for p in items), "every row says where it stands and its leaf"
    return [p for p in items if not is_withheld(p)]


def check_measure(suite: ModuleType, items: Sequence[Preference], scores: list) -> Outcomes:
    """Pure: the same scores give the same outcomes, and neither is changed."""
    before = [s.copy() for s in scores]
    found, again = suite.measure(items, scores), suite.measure(items, scores)
    assert np.array_equal(found.credit, again.credit), "measure is a function of its arguments"
    assert all(np.array_equal(a, b) for a, b in zip(before, scores)), "measure leaves the scores as they are"
    assert found.ids == tuple(p.id for p in items), "one outcome per row, in order"
    assert ((found.credit >= 0) & (found.credit <= 1)).all(), "credit lies in 0..1"
    return found


def check_keys(suite: ModuleType, found: Outcomes) -> None:
    """Every number is a share of rows that its key names; the headline is there when all rows are."""
    numbers = suite.combine(found)
    assert "overall" in numbers, "all rows give a headline"
    for key, value in numbers.items():
        assert 0 <= value <= 1, key
        section = "" if key in ("overall", "macro") else key.removesuffix("/macro")
        assert found.section(section).any(), f"{key} names no rows"


def check_random(suite: ModuleType, found: Outcomes) -> None:
    """Random scores earn what `chance` says, within five standard errors of rows that hang together."""
    groups, place = np.unique(found.group, return_inverse=True)
    sums = np.bincount(place, weights=found.credit - found.chance)
    assert abs(sums.sum()) < 5 * np.sqrt((sums**2).sum()), "random scores earn the stated chance"
    gap = suite.combine(found)["overall"] - suite.combine(found.at_random())["overall"]
    assert abs(gap) < 5 / np.sqrt(len(groups)), "the headline of random scores is near its expectation"


def check_constant(suite: ModuleType, items: Sequence[Preference]) -> None:
    """One number for everything earns the stated headline, and every row is tied."""
    found = suite.measure(items, [np.zeros(len(p.responses)) for p in items])
    assert abs(suite.combine(found)["overall"] - suite.CONSTANT) < 1e-12, "a constant scorer earns CONSTANT"
    assert found.tied.all(), "a constant scorer ties everywhere"


def check_order(suite: ModuleType, items: Sequence[Preference], scores: list) -> None:
    """Rows in another order give the same numbers."""
    order = generator(0, "suite contract").permutation(len(items))
    straight = suite.combine(suite.measure(items, scores))
    shuffled = suite.combine(suite.measure([items[i] for i in order], [scores[i] for i in order]))
    assert straight.keys() == shuffled.keys(), "the order of rows changes the keys"
    assert all(abs(straight[k] - shuffled[k]) < 1e-12 for k in straight), "the order of rows changes a number"
