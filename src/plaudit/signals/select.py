"""Which rows a treatment touches: the lowest part by strength, those above a chance, or all."""

import numpy as np
from numpy.typing import NDArray

from plaudit.errors import OptionError

CONDITIONS = ("wrong", "quantile", "above", "below")
UNTOLD = (
    "the audit named no --noise model or could not tell its rate: act on p_disagree instead, as in flip:above=0.65, or "
    "audit more rows or with a stronger --model"
)


def refuse_outside(**options: float | None) -> None:
    """Raise for options that are shares or chances and lie outside 0..1."""
    for name, value in options.items():
        if value is not None and not 0 <= value <= 1:
            raise OptionError([f"{name} must lie in 0..1, not {value:g}"])


def selected(
    mean: NDArray[np.float64],
    p_disagree: NDArray[np.float64],
    p_wrong: NDArray[np.float64],
    target: NDArray[np.float64],
    *,
    wrong: float | None = None,
    quantile: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> NDArray[np.bool_]:
    """Rows [P] with `p_wrong` above `wrong`, in the lowest `quantile` of `mean`, with `p_disagree` above `above`, and
    with `mean` below `below`.

    Conditions that are given must all hold; none given selects every row. Ties (target 1/2) are never selected by a
    condition, nor counted in the quantile: nobody can have them the wrong way round. Equal means go by row order. A
    p_wrong that is empty (NaN) is above nothing; where all are empty, `wrong` is refused.

    >>> m = np.array([-1.0, 2.0, 0.5, 3.0]); p = 1 / (1 + np.exp(m)); t = np.ones(4)
    >>> selected(m, p, p, t, quantile=0.25).tolist(), selected(m, p, p, t, above=0.3).tolist()
    ([True, False, False, False], [True, False, True, False])
    """
    refuse_outside(quantile=quantile, above=above, wrong=wrong)
    if wrong is not None and len(p_wrong) and np.isnan(p_wrong).all():
        raise OptionError(["wrong needs p_wrong, which this audit left empty"], advice=UNTOLD)
    if quantile is None and above is None and below is None and wrong is None:
        return np.ones(len(mean), bool)
    judged = target != 0.5
    out = judged.copy()
    if quantile is not None:
        lowest = np.argsort(np.where(judged, mean, np.inf), kind="stable")[: int(quantile * judged.sum() + 1e-9)]
        out &= np.isin(np.arange(len(mean)), lowest)
    if wrong is not None:
        out &= p_wrong > wrong
    if above is not None:
        out &= p_disagree > above
    if below is not None:
        out &= mean < below
    return out
