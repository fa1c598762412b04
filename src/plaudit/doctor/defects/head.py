"""A scoring head that was not saved, or never trained.

What can be told: whether the files hold one, whether it is all zero or not finite, whether it still is the draw it
started from when plaudit made it, and what plaudit.json says of its steps. A head drawn by another tool cannot be told
from a trained one by its numbers: training moves it by far less than its spread.
"""

import numpy as np
import torch

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject
from plaudit.models.heads.scalar import last_layer
from plaudit.seeds import generator

UNTOLD = (
    "nothing here says that it was trained, and its numbers cannot: a random head looks like a trained one; "
    "`plaudit evaluate` on pairs you know can"
)
MANY = 16  # seeds tried beside the one that plaudit.json names


def diagnose(subject: Subject) -> Finding:
    if subject.loaded is None:
        raise SkipCheck("plaudit cannot load it; see `loads`")
    if subject.loaded.head == "fresh":
        return broken(
            "its files hold no scoring head (score.weight or classifier.*): every loader draws a random one, and each "
            "another; save the model with its head, or train one"
        )
    if subject.loaded.head == "imported":
        return healthy("read from another tool's file; see `value-head`")
    layer = last_layer(subject.loaded.model)
    weight = layer.weight.detach().float().cpu()
    if not torch.isfinite(weight).all():
        return broken("its head is not finite; take an earlier checkpoint")
    if not weight.any():
        return broken("its head is all zero, so every response ties; train it")
    if subject.facts.get("steps") == 0:
        return broken("plaudit.json says that it was trained for 0 steps: its scores mean nothing; train it")
    drawn = _draw(subject, weight)
    if drawn is not None:
        return broken(
            f"its head is still the random draw it started from (seed {drawn}), never trained: its scores mean "
            "nothing; train it"
        )
    return healthy() if subject.facts.get("steps") else healthy(UNTOLD)


def _draw(subject: Subject, weight: torch.Tensor) -> int | None:
    """The seed whose first draw this head is; None when it is none of those tried."""
    model = subject.well.model
    name = next(n for n, p in model.named_parameters() if p is last_layer(model).weight)
    std = getattr(model.config.get_text_config(), "initializer_range", None) or 0.02
    options = subject.facts.get("options")
    named = options.get("seed") if isinstance(options, dict) else subject.facts.get("seed")
    seeds = dict.fromkeys([*([named] if isinstance(named, int) else []), *range(MANY)])
    for seed in seeds:
        draw = generator(seed, f"head {name}").normal(0.0, std, tuple(weight.shape))
        if np.allclose(weight.numpy(), draw, rtol=4e-3, atol=1e-7):  # rtol: a draw may have been stored in bf16
            return seed
    return None
