"""Logistic loss on the score margin; labels may be soft, flipped or shifted.

With d = chosen - rejected and sp(x) = log(1 + e^x), per pair: target·sp(-(d - margin)) + (1 - target)·sp(d - margin).
One kernel for many papers, because remedies are columns:

- target 1, margin 0: Bradley & Terry 1952; InstructGPT's reward model
- target 0: the flipped label
- target 1 - a: label smoothing, with its optimum at d = log((1 - a) / a); Secrets of RLHF, part II (arXiv 2401.06080)
- target 1/2: a labelled tie (`rao_kupper` and `davidson` give ties a probability of their own)
- margin = the committee's mean: the adaptive margin, eq. 6 of the same paper, read inside the sigmoid
- margin, or weight, = the graded strength: margin and scaled loss of HelpSteer2-Preference (arXiv 2410.01257)

Smoothing is applied after the shift. We differ from the released code of Secrets of RLHF, which adds 1e-5 inside the
logarithm: that caps the loss at 11.51 and kills the gradient of the very wrong pairs.

>>> import torch
>>> one = torch.ones(1)
>>> loss(2 * one, 0 * one, one, 0 * one).item()  # doctest: +ELLIPSIS
0.126...
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from plaudit.losses._precision import in_float32

SHIFT_INVARIANT = True


@in_float32
def loss(chosen: Tensor, rejected: Tensor, target: Tensor, margin: Tensor) -> Tensor:
    """One value per pair: columns [P] to [P]. `margin` is subtracted from the difference."""
    gap = chosen - rejected - margin
    return -(target * logsigmoid(gap) + (1 - target) * logsigmoid(-gap))
