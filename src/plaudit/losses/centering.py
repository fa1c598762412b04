"""Pulls the two scores of a pair around zero; added to a loss with a small coefficient.

(chosen + rejected)² per pair: Eisenstein et al. (arXiv 2312.09244); TRL's `center_rewards_coefficient`, where 0.01 is
advised; the c of MM-RLHF (arXiv 2502.10391). Bradley-Terry fixes scores only up to a constant per prompt; what adds,
clips or compares scores across prompts wants them centred. Not unchanged by a shared shift: that is its purpose. The
gradient is zero if and only if chosen = -rejected.

>>> import torch
>>> loss(torch.tensor([2.0]), torch.tensor([-0.5])).item()
2.25
"""

from torch import Tensor

from plaudit.losses._precision import in_float32

REGULARISER = True  # never the only loss of a run: it reads no label


@in_float32
def loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """One value per pair: columns [P] to [P]. Swapping the sides changes nothing."""
    return (chosen + rejected) ** 2
