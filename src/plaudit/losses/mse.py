"""Squared distance between the score and a rating.

HelpSteer2 (arXiv 2406.08673): sum over entries of (score - rating)² over the number of entries that were rated, so the
mean is over valid entries, not rows. A NaN rating is missing and costs exactly 0, with gradient exactly 0.
Ties scores to the rating's scale: not unchanged by a shared shift. For labels of 0 and 1 use `bce`.

>>> import torch
>>> ratings = torch.tensor([[1.0], [float("nan")], [3.0]])
>>> loss(torch.tensor([0.0, 9.0, 1.0]), ratings).sum().item() / 2
2.5
"""

import torch
from torch import Tensor

from plaudit.losses._precision import in_float32


@in_float32
def loss(scores: Tensor, ratings: Tensor) -> Tensor:
    """One value per rating: `scores` [N] (or [N, A]) and `ratings` [N, A] to [N, A], 0 where the rating is NaN."""
    predicted = (scores if scores.dim() == 2 else scores[:, None]).expand_as(ratings)
    given = ~torch.isnan(ratings)
    # both sides are replaced before the square: NaN times 0 is NaN, in the gradient too
    return (torch.where(given, predicted, 0) - torch.where(given, ratings, 0).to(predicted.dtype)) ** 2
