"""What every head promises, as checks that a test or an outside package runs: `for check in CHECKS: check(module, m)`.

A module holds `last_layer(model)`, the linear layer whose output is the score, `product(model, read)`, that layer row
by row, and `score(model, hidden)`: hidden states at the read points [R, H] to float32 [R], or [R, K] when the model has
K labels. It knows no tokens and no padding. `m` is a transformers `...ForSequenceClassification` of one label.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def hidden(model: Any, rows: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random hidden states at read points [R, H]."""
    width = model.config.get_text_config().hidden_size
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(rows)).to(dtype)


@torch.no_grad()
def shaped(module: ModuleType, model: Any) -> None:
    """One float32 number a read point, whatever precision the states come in, and none for none."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows in (0, 1, 5):
            found = module.score(model, hidden(model, rows, dtype=dtype))
            assert found.shape == (rows,)
            assert found.dtype == torch.float32
            assert torch.isfinite(found).all()


@torch.no_grad()
def alone(module: ModuleType, model: Any) -> None:
    """The other rows do not change a number: the last product, in bits; what the family does before it, to rounding."""
    states = hidden(model, 7)
    whole = module.score(model, states)
    each = torch.cat([module.score(model, states[i : i + 1]) for i in range(7)])
    assert torch.allclose(whole, each, rtol=1e-6, atol=1e-6)
    read = hidden(model, 7)
    last = torch.cat([module.product(model, read[i : i + 1]) for i in range(7)])
    assert torch.equal(module.product(model, read), last)


def learned(module: ModuleType, model: Any) -> None:
    """The last layer is one of the model's own, and the scores give it a gradient."""
    layer = module.last_layer(model)
    module.score(model, hidden(model, 3)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0
    model.zero_grad(set_to_none=True)
    assert any(layer is m for m in model.modules())


CHECKS = [shaped, alone, learned]
