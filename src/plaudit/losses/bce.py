"""Cross-entropy of a response labelled good or bad on its own, without a partner.

Per rating y in [0, 1]: y·sp(-score) + (1 - y)·sp(score), sp(x) = log(1 + e^x). The score is the logit of "good"; soft
labels are allowed. A NaN rating is missing and costs exactly 0, with gradient exactly 0. Pins the scale and the zero of
the scores, so it is not unchanged by a shared shift. For ratings on any other scale use `mse`.

>>> import torch
>>> loss(torch.tensor([0.0, 2.0]), torch.tensor([[1.0], [0.0]])).flatten().tolist()  # doctest: +ELLIPSIS
[0.693..., 2.126...]
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from plaudit.errors import OptionError
from plaudit.losses._precision import in_float32


@in_float32
def loss(scores: Tensor, ratings: Tensor) -> Tensor:
    """One value per rating: `scores` [N] (or [N, A]), `ratings` [N, A] in [0, 1] to [N, A]; OptionError beyond that."""
    predicted = (scores if scores.dim() == 2 else scores[:, None]).expand_as(ratings)
    given = ~torch.isnan(ratings)
    beyond = ratings[(ratings < 0) | (ratings > 1)]
    if len(beyond):
        advice = "use the point loss mse, or bring the ratings to [0, 1]"
        raise OptionError([f"bce needs ratings between 0 and 1, got {beyond[0].item():g}"], advice=advice)
    label, logit = torch.where(given, ratings, 0).to(predicted.dtype), torch.where(given, predicted, 0)
    return torch.where(given, -(label * logsigmoid(logit) + (1 - label) * logsigmoid(-logit)), 0)
