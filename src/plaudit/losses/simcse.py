"""Two noisy views of one response should point the same way, away from every other response of the batch.

With s and t the two views of row i, per row: -log[ e^{cos(s_i, t_i)/temperature} / sum_j e^{cos(s_i, t_j)/temperature}
]. Gao et al. 2021 (arXiv 2104.08821); beside the loss of a reward model: Secrets of RLHF, part II (arXiv 2401.06080),
where the rows are the vectors that the reward head reads. That paper states no temperature; 0.05 is SimCSE's. The best
of its variants under RLHF. Against `swav` it has nothing to learn and nothing to save.

Two orthogonal rows, identical views, temperature 1:

>>> import torch
>>> loss(torch.eye(2), torch.eye(2), temperature=1.0).tolist()  # doctest: +ELLIPSIS
[0.3132..., 0.3132...]
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from plaudit.losses._directions import unit
from plaudit.losses._precision import in_float32

REGULARISER = True  # reads no label


@in_float32
def loss(first: Tensor, second: Tensor, *, temperature: float = 0.05) -> Tensor:
    """One value per row: views [M, H] and [M, H] to [M]. The other rows of the batch are the negatives."""
    alike = unit(first) @ unit(second).T / temperature  # [M, M]
    return -torch.diagonal(log_softmax(alike, 1))
