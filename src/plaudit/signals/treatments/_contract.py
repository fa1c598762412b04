"""What every treatment promises: `for check in CHECKS: check(module)`.

A treatment module holds `treat(columns..., *, options...) -> Targets`. Columns are signals by name (`mean`,
`p_disagree`, ...), `decision`, and the running `target, margin, weight`, all [P]. Every option has a default.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from plaudit.signals.price import sigmoid
from plaudit.signals.recipes import columns_of
from plaudit.signals.targets import Targets


def example(rows: int, seed: int = 0) -> dict[str, NDArray]:
    """Every column a treatment may read, ties and earlier flips included."""
    draw = np.random.Generator(np.random.PCG64(seed))
    mean = draw.normal(0.5, 1.0, rows)
    spread = np.abs(draw.normal(0, 0.3, rows))
    return {
        "mean": mean, "std": spread, "p_disagree": sigmoid(-mean), "p_wrong": 0.4 * sigmoid(-mean),
        "vote_share": draw.random(rows),
        "fair_weight": 2 * draw.random(rows), "decision": draw.choice(["", "keep", "flip", "tie", "drop"], rows),
        "label": np.where(np.arange(rows) % 5 == 4, 0.5, 1.0),
        "target": np.where(np.arange(rows) % 5 == 4, 0.5, np.where(np.arange(rows) % 7 == 3, 0.0, 1.0)),
        "margin": draw.normal(0, 1, rows), "weight": draw.random(rows),
    }  # fmt: skip


def apply(module: ModuleType, rows: dict[str, NDArray]) -> Targets:
    """The treatment with its defaults on the columns it names."""
    return module.treat(**{name: rows[name] for name in columns_of(module.treat)})


def sound(module: ModuleType) -> None:
    """One value a row; targets in 0..1, weights not negative, everything finite; columns given are not written to."""
    rows = example(60)
    before = {name: column.copy() for name, column in rows.items()}
    found = apply(module, rows)
    assert len(found) == 60
    assert ((found.target >= 0) & (found.target <= 1)).all()
    assert (found.weight >= 0).all()
    assert all(np.isfinite(column).all() for column in (found.target, found.margin, found.weight))
    assert all((rows[name] == before[name]).all() for name in rows)


def ties(module: ModuleType) -> None:
    """A labelled tie stays a tie, and which of its sides is listed first changes nothing."""
    rows = example(60)
    tie = rows["target"] == 0.5
    found = apply(module, rows)
    assert (found.target[tie] == 0.5).all()
    turned = {"mean": -rows["mean"], "p_disagree": 1 - rows["p_disagree"], "vote_share": 1 - rows["vote_share"]}
    other = apply(module, rows | {name: np.where(tie, column, rows[name]) for name, column in turned.items()})
    np.testing.assert_allclose(other.weight[tie], found.weight[tie])
    np.testing.assert_allclose(other.margin[tie], found.margin[tie])


def empty(module: ModuleType) -> None:
    """No rows in, no rows out."""
    assert len(apply(module, example(0))) == 0


def local(module: ModuleType) -> None:
    """With its defaults a treatment looks at one row at a time: company changes nothing."""
    rows = example(30)
    whole = apply(module, rows)
    for at in (0, 7, 29):
        one = apply(module, {name: column[at : at + 1] for name, column in rows.items()})
        assert (one.target[0], one.margin[0], one.weight[0]) == (
            whole.target[at], whole.margin[at], whole.weight[at])  # fmt: skip


CHECKS = [sound, ties, empty, local]
