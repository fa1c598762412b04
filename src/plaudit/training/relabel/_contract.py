"""What every part of this room promises, as checks that a test or an outside package runs.

A margin is meant for the side that the label favours: at target 0 it is taken from the other side, at 1/2 there is
none.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plaudit.training.relabel._sides import favoured

COLUMNS = {"target", "margin", "gap", "weight", "strength", "mean"}


def columns(function: Callable) -> list[str]:
    """Names of the columns a part reads."""
    return [p.name for p in signature(function).parameters.values() if p.kind is Parameter.POSITIONAL_OR_KEYWORD]


def options(function: Callable) -> list[str]:
    """Names of its options."""
    return [p.name for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]


def when(module: ModuleType) -> Literal["step", "epoch"]:
    """When the part is asked."""
    return module.WHEN


def example(n: int, seed: int = 0) -> dict[str, Any]:
    """Random columns of n comparisons, flips and ties among them."""
    draw = np.random.default_rng(seed)
    rows: dict[str, Any] = {name: draw.normal(size=n) for name in ("margin", "gap")}
    target = draw.choice([0.0, 0.2, 0.5, 1.0], n)
    return rows | {"weight": draw.random(n) + 0.1, "target": target, "strength": draw.random(n) * 3, "mean": 0.7}


def _ask(module: ModuleType, rows: dict) -> tuple[NDArray, NDArray]:
    return module.relabel(**{name: rows[name] for name in columns(module.relabel)})


def shapes(module: ModuleType) -> None:
    """It reads known columns, changes none of them in place, and gives finite float64 [P] of both."""
    assert set(columns(module.relabel)) <= COLUMNS
    for n in (0, 1, 9):
        rows = example(n)
        before = {k: np.copy(v) for k, v in rows.items()}
        for found in _ask(module, rows):
            assert found.shape == (n,)
            assert found.dtype == np.float64
            assert np.isfinite(found).all()
        assert all(np.array_equal(before[k], rows[k]) for k in rows)


def labels(module: ModuleType) -> None:
    """Targets stay probabilities; an even label stays even and gets no margin."""
    rows = example(200)
    target, margin = _ask(module, rows)
    even = rows["target"] == 0.5
    assert ((target >= 0) & (target <= 1)).all()
    assert np.array_equal(target[even], rows["target"][even])
    assert np.array_equal(margin[even], rows["margin"][even])


def swapped(module: ModuleType) -> None:
    """A row written the other way round, with target 1 - t, negated margin and gap, is the same row."""
    rows = example(60)
    other = {**rows, "target": 1 - rows["target"], "margin": -rows["margin"], "gap": -rows["gap"]}
    (target, margin), (mirrored, negated) = _ask(module, rows), _ask(module, other)
    np.testing.assert_allclose(mirrored, 1 - target, atol=1e-12)
    np.testing.assert_allclose(negated, -margin, atol=1e-12)
    assert np.array_equal(favoured(other["target"]), -favoured(rows["target"]))


CHECKS = [shapes, labels, swapped]
