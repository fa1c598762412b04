"""What every loss promises, as checks that a test or an outside package runs: `for check in CHECKS: check(module)`.

A loss module holds
- `loss(columns..., *, options...)`: positional names are columns, supplied by name; keyword-only names are options;
- optionally `SHIFT_INVARIANT = True`: adding one number to every score of a pair or list changes nothing;
- optionally `REGULARISER = True`: reads no label, so it is only ever added to another loss;
- optionally `parameters() -> dict[str, float]`: initial values of numbers learned beside the weights. They come to
  `loss` as keyword tensors of no dimension, and are fixed at a value instead when the options of a run name them;
- optionally `prior(parameters..., *, options...) -> Tensor`: what those parameters cost, added once to a step's mean.

Columns: pairs `chosen, rejected, target, margin` [P] and `tie` [P], bool (equal ranks and target 1/2); lists
`scores, ranks` [N] and `group` [N], int; points `scores` [N] and `ratings` [N, A], NaN = nobody rated.
One value per pair, per list in ascending order of `group`, or per rating; weighing and averaging happen elsewhere.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close

PAIR = {"chosen", "rejected", "target", "margin", "tie"}
LIST = {"scores", "group", "ranks"}
POINT = {"scores", "ratings"}
SCORES = ("chosen", "rejected", "scores")


def columns(module: ModuleType) -> list[str]:
    """Names of the columns a loss reads, in order."""
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in signature(module.loss).parameters.values() if p.kind in kinds]


def options(function: Callable) -> list[str]:
    """Names of the keyword-only options of a loss or prior."""
    return [p.name for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]


def kind(module: ModuleType) -> str:
    """`pair`, `list` or `point`, read from the columns; ValueError when they fit none.

    >>> from plaudit.losses import bradley_terry, mse, plackett_luce
    >>> kind(bradley_terry), kind(plackett_luce), kind(mse)
    ('pair', 'list', 'point')
    """
    names = set(columns(module))
    if {"chosen", "rejected"} <= names <= PAIR:
        return "pair"
    if names == LIST:
        return "list"
    if names == POINT:
        return "point"
    raise ValueError(f"{module.__name__}: columns {sorted(names)} are neither a pair, a list nor a point loss")


def example(module: ModuleType, n: int, *, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Random columns of n rows for a loss, ties, soft labels, lists of unequal length and missing ratings included."""
    draw = torch.Generator().manual_seed(n)
    normal = lambda *shape: torch.randn(*shape, generator=draw, dtype=torch.float64).to(dtype)  # noqa: E731
    tie = torch.arange(n) % 3 == 2
    target = torch.rand(n, generator=draw, dtype=torch.float64).to(dtype)
    ratings = torch.rand(n, 2, generator=draw, dtype=torch.float64).to(dtype)
    ratings[1::2, 0] = torch.nan
    rows = {
        "chosen": normal(n) * scale, "rejected": normal(n) * scale, "scores": normal(n) * scale,
        "target": torch.where(tie, 0.5, target), "margin": normal(n), "tie": tie,
        "group": torch.arange(n) // 4, "ranks": torch.randint(3, (n,), generator=draw), "ratings": ratings,
    }  # fmt: skip
    return {name: rows[name] for name in columns(module)}


def _learned(module: ModuleType) -> dict[str, Tensor]:
    initial = module.parameters() if hasattr(module, "parameters") else {}
    return {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in initial.items()}


def gradients(module: ModuleType) -> None:
    """The gradient by automatic differentiation is the one by finite differences, in float64, of parameters too."""
    rows, learned = example(module, 9), _learned(module)
    free = {k: v.requires_grad_() for k, v in rows.items() if k in SCORES} | learned
    assert torch.autograd.gradcheck(
        lambda *values: module.loss(**{**rows, **dict(zip(free, values))}), tuple(free.values())
    )


def finite(module: ModuleType) -> None:
    """Value and gradient are finite with scores of ±1e4, in float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        rows = example(module, 12, dtype=dtype)
        signs = torch.tensor([1.0, -1.0, -1.0], dtype=dtype).repeat(4)
        for sign, name in zip((1, -1), [k for k in rows if k in SCORES]):
            rows[name] = (sign * 1e4 * signs).requires_grad_()
        value = module.loss(**rows)
        assert torch.isfinite(value).all()
        value.sum().backward()
        assert all(torch.isfinite(rows[k].grad).all() for k in rows if k in SCORES)


def shift(module: ModuleType) -> None:
    """A loss that says SHIFT_INVARIANT does not see a number added to every score of a group."""
    rows = example(module, 12)
    moved = {**rows, **{k: rows[k] + 7.5 for k in SCORES if k in rows}}
    same = torch.allclose(module.loss(**rows), module.loss(**moved), rtol=1e-10, atol=1e-10)
    assert same == getattr(module, "SHIFT_INVARIANT", False)


def swap(module: ModuleType) -> None:
    """Pairs: swapped sides = target 1 - t and the margin negated. Lists and points: the order of rows says nothing."""
    rows = example(module, 12)
    if kind(module) == "pair":
        other = {**rows, "chosen": rows["rejected"], "rejected": rows["chosen"]}
        if "target" in rows:
            other["target"] = 1 - rows["target"]
        if "margin" in rows:
            other["margin"] = -rows["margin"]
        assert_close(module.loss(**other), module.loss(**rows))
        return
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    value, moved = module.loss(**rows), module.loss(**{k: v[order] for k, v in rows.items()})
    assert_close(moved, value if kind(module) == "list" else value[order])


def small(module: ModuleType) -> None:
    """No rows give no values with a usable gradient; one row gives what it gives in company."""
    for n in (0, 1):
        rows = example(module, n)
        scores = [v.requires_grad_() for k, v in rows.items() if k in SCORES]
        value = module.loss(**rows)
        assert value.shape == ((n, 2) if kind(module) == "point" else (n,))
        value.sum().backward()
        assert all(s.grad is not None and torch.isfinite(s.grad).all() for s in scores)
    if kind(module) != "list":
        rows = example(module, 9)
        alone = torch.cat([module.loss(**{k: v[i : i + 1] for k, v in rows.items()}) for i in range(9)])
        assert_close(alone, module.loss(**rows), rtol=0, atol=0)


def precision(module: ModuleType) -> None:
    """The dtype of the scores is kept; narrow scores are computed in float32 and rounded once."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        rows = example(module, 9, dtype=dtype)
        value = module.loss(**rows)
        assert value.dtype == dtype
        wide = {k: v.float() if v.is_floating_point() and v.dtype.itemsize == 2 else v for k, v in rows.items()}
        assert torch.equal(value, module.loss(**wide).to(dtype))


CHECKS = [gradients, finite, shift, swap, small, precision]
