"""Plain transformers, as everybody calls it: one sequence at a time, or a padded batch. Scores are float64 [N]."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.models.score import scores
from plaudit.seeds import generator

BATCH = 6  # sequences of a padded batch


@torch.no_grad()
def alone(model: Any, ids: Sequence[Sequence[int]], **inputs: Any) -> NDArray[np.float64]:
    """Every sequence in a batch of its own."""
    device = model.device
    rows = [model(input_ids=torch.tensor([row], device=device), **inputs).logits[0, 0].float() for row in ids]
    return torch.stack(rows).double().cpu().numpy()


@torch.no_grad()
def padded(
    model: Any, tokenizer: Any, ids: Sequence[Sequence[int]], *, side: Literal["left", "right"] = "right"
) -> NDArray[np.float64]:
    """Batches of `BATCH`, as the tokenizer pads them."""
    found = []
    for start in range(0, len(ids), BATCH):
        rows = [list(row) for row in ids[start : start + BATCH]]
        batch = tokenizer.pad({"input_ids": rows}, padding=True, padding_side=side, return_tensors="pt")
        found.append(model(**batch.to(model.device)).logits[:, 0].float())
    return torch.cat(found).double().cpu().numpy()


def deviation(found: NDArray, reference: NDArray) -> float:
    """Largest difference relative to max(1, |score|); inf when a score is no number.

    >>> deviation(np.array([[1.0, 20.0], [1.5, 20.0]]), np.array([1.0, 20.0]))
    0.5
    """
    gaps = np.abs(found - reference) / np.maximum(1.0, np.abs(reference))
    return float(gaps.max()) if np.isfinite(gaps).all() else float("inf")


def company(reader: Any, sample: Any, *, budget: int, seed: int) -> NDArray[np.float64]:
    """plaudit's own scores of a sample [N], its conversations shuffled and cut into batches of `budget` tokens."""
    order = generator(seed, "doctor company").permutation(len(sample.encoded))
    found = scores(reader, [sample.encoded[i] for i in order], budget=budget)
    back: list[NDArray] = [np.zeros(0)] * len(order)
    for i, row in zip(order, found, strict=True):
        back[i] = row
    return np.concatenate(back).astype(np.float64)
