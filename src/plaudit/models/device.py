"""Where a model computes: the device that was asked for, or a GPU when there is one."""

from typing import Any

import torch

from plaudit.errors import OptionError


def refuse_absent(device: str) -> None:
    """Raise for a device that is not here, before anything is loaded onto it."""
    if device:
        place(torch.nn.Linear(1, 1), device)


def place(model: Any, device: str = "") -> None:
    """Move a model to `device` (cpu, cuda, cuda:1); without one to a GPU when there is one, else it stays.

    Raises:
        OptionError: there is no such device here, or the model does not fit on it.

    >>> place(torch.nn.Linear(1, 1), "toaster")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    plaudit.errors.OptionError: device 'toaster' cannot be used: Expected one of cpu, cuda, ...
      known: cpu, cuda, cuda:N
    """
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        if torch.device(where).type == "meta":
            raise RuntimeError("it holds no numbers")
        model.to(where)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # a torch without CUDA asserts
        said = (str(error).splitlines() or [type(error).__name__])[0].removesuffix(f": {where}")
        raise OptionError([f"device {where!r} cannot be used: {said}"], advice="known: cpu, cuda, cuda:N") from error
