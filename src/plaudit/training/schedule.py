"""The learning rate as a pure function of the step, so that nothing about it needs saving."""

import math


def rate(step: int, steps: int, *, peak: float, warmup: float, kind: str, floor: float = 0.0) -> float:
    """Learning rate of optimiser step `step` (from 0) of `steps`.

    Linear warm-up over `warmup` of the steps, then cosine, linear or constant down to `floor * peak`.

    >>> [round(rate(s, 10, peak=1.0, warmup=0.2, kind="linear"), 3) for s in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.125]
    """
    ahead = math.ceil(steps * warmup)
    if step < ahead:
        return peak * (step + 1) / ahead
    done = (step - ahead) / max(steps - ahead, 1)
    share = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[kind]
    return peak * (floor + (1 - floor) * share)
