"""Losses are computed in float32 or better and returned in the dtype they were asked in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

_NARROW = {torch.float16, torch.bfloat16}


def in_float32(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Widen narrow tensors on the way in, narrow the result on the way out; float32 and float64 pass untouched.

    The difference of two bf16 scores near 8 is a multiple of 1/16: subtract after widening, not before. The dtype of
    the first column (the scores) is the dtype of the result.
    """

    @wraps(loss)  # inspect.signature follows __wrapped__: the columns stay readable
    def widened(*columns: Any, **named: Any) -> Tensor:
        first = next(v for v in (*columns, *named.values()) if isinstance(v, Tensor))
        value = loss(*map(_widen, columns), **{k: _widen(v) for k, v in named.items()})
        return value.to(first.dtype) if first.dtype in _NARROW else value

    return widened


def _widen(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in _NARROW else value
