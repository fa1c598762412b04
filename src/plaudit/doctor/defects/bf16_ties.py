"""What bfloat16 does to the order of responses: exact ties and flips over all pairs of the sample. A report, no gate.

Logits near 8 lie 0.0625 apart in bfloat16, so scores that differ become equal. Measured the way accelerate runs
`mixed_precision="bf16"`: weights in float32, products and the score itself in bfloat16.
"""

import numpy as np
import torch

from plaudit.doctor.findings import Finding, SkipCheck, healthy
from plaudit.doctor.reading import alone, deviation
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    if subject.loaded is None or len(subject.sample.ids) < 2:
        raise SkipCheck("there are no scores to compare; see `loads`")
    if subject.dtype != "float32":
        raise SkipCheck("measured against float32 only")
    model = subject.loaded.model
    with torch.autocast(model.device.type, torch.bfloat16):
        rough = alone(model, subject.sample.ids)
    ties, flips, pairs = compare(subject.reference, rough)
    moved = deviation(rough, subject.reference)
    if not ties and not flips:
        return healthy(deviation=moved)
    return healthy(
        f"in bfloat16 {ties} of {pairs} pairs tie exactly and {flips} change order; score in float32, or with plaudit "
        "--dtype bfloat16, whose head stays in float32",
        moved,
    )


def compare(exact: np.ndarray, rough: np.ndarray) -> tuple[int, int, int]:
    """(new ties, flips, pairs) over all pairs that differ in `exact`.

    >>> compare(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.5]))
    (1, 2, 3)
    """
    first, second = np.triu_indices(len(exact), 1)
    before, after = np.sign(exact[first] - exact[second]), np.sign(rough[first] - rough[second])
    there = before != 0
    return int((there & (after == 0)).sum()), int((there & (after == -before)).sum()), int(there.sum())
