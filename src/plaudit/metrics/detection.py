"""How well a score finds wrong labels: area under the ROC curve, precision at the top, average precision."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def auroc(suspicion: ArrayLike, wrong: ArrayLike) -> float:
    """Chance that a wrong row looks more suspicious than a right one, ties half; NaN when one kind is missing.

    >>> auroc([3, 2, 2, 1], [True, True, False, False])
    0.875
    """
    from scipy.stats import rankdata

    score, bad = np.asarray(suspicion, np.float64), np.asarray(wrong, bool)
    n, m = int(bad.sum()), int((~bad).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(score)[bad].sum() - n * (n + 1) / 2) / (n * m))


def precision_at(suspicion: ArrayLike, wrong: ArrayLike, share: float = 0.05) -> float:
    """Share of wrong rows among the most suspicious `share` (one row at least); rows tied at the edge count in part.

    >>> precision_at([3, 2, 2, 1], [True, True, False, False], share=0.5)
    0.75
    """
    score, bad = np.asarray(suspicion, np.float64), np.asarray(wrong, bool)
    if not len(score):
        return float("nan")
    k = max(1, int(share * len(score)))
    edge = np.sort(score)[::-1][k - 1]
    above, at = score > edge, score == edge
    return float((bad[above].sum() + bad[at].mean() * (k - above.sum())) / k)


def expected_precision(p: NDArray[np.float64], share: float = 0.05) -> float:
    """What `precision_at` would be on average if the chances p were right: mean p of the most suspicious rows.

    >>> round(expected_precision(np.array([0.9, 0.5, 0.1, 0.1]), share=0.5), 2)
    0.7
    """
    if not len(p):
        return float("nan")
    return float(np.sort(p)[::-1][: max(1, int(share * len(p)))].mean())
