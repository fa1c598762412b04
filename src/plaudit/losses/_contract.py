"""What every loss promises, as checks that a test or an outside package runs: `for check in CHECKS: check(module)`.

A loss module holds
- `loss(columns..., *, options...)`: positional names are columns, supplied by name; keyword-only names are options;
- optionally `SHIFT_INVARIANT = True`: adding one number to every score of a pair or list changes nothing;
- optionally `REGULARISER = True`: reads no label, so it is only ever added to another loss;
- optionally `parameters() -> dict[str, float]`: initial values of numbers learned beside the weights. They come to
  `loss` as keyword tensors of no dimension, and are fixed at a value instead when the options of a run name them;
- optionally `prior(parameters..., *, options...) -> Tensor`: what those parameters cost, added once to a step's mean.

Columns: pairs `chosen, rejected, target, margin` [P] and `tie` [P], bool (equal ranks and target 1/2); lists
`scores, ranks` [N] and `group` [N], int; points `scores` [N] and `ratings` [N, A], NaN = nobody rated; views `first,
second` [M, H], what the reward head reads under two draws of noise. One value per pair, per list in ascending order of
`group`, per rating or per row; weighing and averaging happen elsewhere.

A view loss may learn tensors: its `parameters(width, count)` gives their shapes. Where a part of it is not
differentiated (`codes`), the loss takes that part as `fixed`.
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
WIDTH = 4  # of a view's rows in `example`
POINT = {"scores", "ratings"}
VIEW = {"first", "second"}
SCORES = ("chosen", "rejected", "scores", *sorted(VIEW))


def columns(module: ModuleType) -> list[str]:
    """Names of the columns a loss reads, in order."""
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in signature(module.loss).parameters.values() if p.kind in kinds]


def options(function: Callable) -> list[str]:
    """Names of the keyword-only options of a loss or prior."""
    return [p.name for p in signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]


def kind(module: ModuleType) -> str:
    """`pair`, `list`, `point` or `view`, read from the columns; ValueError when they fit none.

    >>> from plaudit.losses import bradley_terry, mse, plackett_luce, simcse
    >>> kind(bradley_terry), kind(plackett_luce), kind(mse), kind(simcse)
    ('pair', 'list', 'point', 'view')
    """
    names = set(columns(module))
    if {"chosen", "rejected"} <= names <= PAIR:
        return "pair"
    if names == LIST:
        return "list"
    if names == POINT:
        return "point"
    if names == VIEW:
        return "view"
    raise ValueError(f"{module.__name__}: columns {sorted(names)} are neither a pair, list, point nor view loss")


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
        "first": normal(n, WIDTH) * scale, "second": normal(n, WIDTH) * scale,
    }  # fmt: skip
    return {name: rows[name] for name in columns(module)}


def _learned(module: ModuleType) -> dict[str, Tensor]:
    if kind(module) == "view":
        draw = torch.Generator().manual_seed(0)
        shapes = module.parameters(WIDTH, 3) if hasattr(module, "parameters") else {}
        return {
            k: torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_() for k, shape in shapes.items()
        }
    initial = module.parameters() if hasattr(module, "parameters") else {}
    return {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in initial.items()}


def _loss(module: ModuleType, rows: dict[str, Any]) -> Tensor:
    """The loss of these columns; a view loss is handed what it would have learned."""
    return module.loss(**rows, **(_learned(module) if kind(module) == "view" else {}))


def gradients(module: ModuleType) -> None:
    """The gradient by automatic differentiation is the one by finite differences, in float64, of parameters too."""
    rows, learned = example(module, 9), _learned(module)
    if hasattr(module, "codes"):  # what no gradient passes through is held where it is
        alike = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).tanh()
        rows["fixed"] = tuple(module.codes(side) for side in alike)
    free = {k: v.requires_grad_() for k, v in rows.items() if k in SCORES} | learned
    assert torch.autograd.gradcheck(
        lambda *values: module.loss(**{**rows, **dict(zip(free, values))}), tuple(free.values()), rtol=1e-6, atol=1e-8
    )


def finite(module: ModuleType) -> None:
    """Value and gradient are finite with scores of ±1e4, in float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        rows = example(module, 12, dtype=dtype)
        signs = torch.tensor([1.0, -1.0, -1.0], dtype=dtype).repeat(4)
        for sign, name in zip((1, -1), [k for k in rows if k in SCORES]):
            far = sign * 1e4 * signs
            rows[name] = (far if rows[name].ndim == 1 else far[:, None].repeat(1, WIDTH)).requires_grad_()
        value = _loss(module, rows)
        assert torch.isfinite(value).all()
        value.sum().backward()
        assert all(torch.isfinite(rows[k].grad).all() for k in rows if k in SCORES)


def shift(module: ModuleType) -> None:
    """A loss that says SHIFT_INVARIANT does not see a number added to every score of a group, another in each group.

    A view loss sees directions alone: rows may be stretched, each by a factor of its own.
    """
    rows = example(module, 12)
    if kind(module) == "view":
        factor = torch.linspace(0.1, 9, 12, dtype=torch.float64)[:, None]
        assert_close(_loss(module, {k: v * factor for k, v in rows.items()}), _loss(module, rows))
        return
    added = torch.linspace(-7.5, 9, 12, dtype=torch.float64)  # one a pair, or one a list
    added = added[rows["group"]] if "group" in rows else added
    moved = {**rows, **{k: rows[k] + added for k in SCORES if k in rows}}
    same = torch.allclose(_loss(module, rows), _loss(module, moved), rtol=1e-10, atol=1e-10)
    assert same == getattr(module, "SHIFT_INVARIANT", False)


def swap(module: ModuleType) -> None:
    """Pairs: swapped sides = target 1 - t and the margin negated. Elsewhere the order of rows says nothing."""
    rows = example(module, 12)
    if kind(module) == "pair":
        other = {**rows, "chosen": rows["rejected"], "rejected": rows["chosen"]}
        if "target" in rows:
            other["target"] = 1 - rows["target"]
        if "margin" in rows:
            other["margin"] = -rows["margin"]
        assert_close(module.loss(**other), _loss(module, rows))
        return
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    value, moved = _loss(module, rows), _loss(module, {k: v[order] for k, v in rows.items()})
    assert_close(moved, value if kind(module) == "list" else value[order])


def asked(module: ModuleType) -> None:
    """Pairs: a margin is a difference asked for, the same as a chosen score that much lower, in a tie too."""
    rows = example(module, 12)
    if "margin" in rows:
        lower = {**rows, "chosen": rows["chosen"] - rows["margin"], "margin": torch.zeros_like(rows["margin"])}
        assert_close(_loss(module, lower), _loss(module, rows))


def small(module: ModuleType) -> None:
    """No rows give no values with a usable gradient; one row gives what it gives in company."""
    for n in (0, 1):
        rows = example(module, n)
        scores = [v.requires_grad_() for k, v in rows.items() if k in SCORES]
        value = _loss(module, rows)
        assert value.shape == ((n, 2) if kind(module) == "point" else (n,))
        value.sum().backward()
        assert all(s.grad is not None and torch.isfinite(s.grad).all() for s in scores)
    if kind(module) not in ("list", "view"):
        rows = example(module, 9)
        alone = torch.cat([module.loss(**{k: v[i : i + 1] for k, v in rows.items()}) for i in range(9)])
        assert_close(alone, _loss(module, rows), rtol=0, atol=0)


def precision(module: ModuleType) -> None:
    """The dtype of the scores is kept; narrow scores are computed in float32 and rounded once."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        rows = example(module, 9, dtype=dtype)
        value = _loss(module, rows)
        assert value.dtype == dtype
        wide = {k: v.float() if v.is_floating_point() and v.dtype.itemsize == 2 else v for k, v in rows.items()}
        assert torch.equal(value, _loss(module, wide).to(dtype))


CHECKS = [gradients, finite, shift, swap, asked, small, precision]
