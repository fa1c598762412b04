"""The reference that a reward model has to beat: TF-IDF of words and pairs of words, log length, logistic regression.

Read from the responses alone, never the prompt; fitted on the differences of a pair's two vectors. C is chosen on the
training pairs by cross-validation over prompt groups.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from plaudit.data.split import groups_of
from plaudit.records import Preference

STRENGTHS = (0.1, 1.0)
FOLDS = 5


def judged(preferences: Sequence[Preference]) -> list[Preference]:
    """Pairs in which somebody won."""
    return [p for p in preferences if len(p.responses) == 2 and p.ranks and p.ranks[0] != p.ranks[1]]


def texts(preferences: Sequence[Preference]) -> tuple[list[str], list[str]]:
    """Better and worse response of every pair."""
    best = [min(range(2), key=p.ranks.__getitem__) for p in preferences]
    whole = lambda p, i: p.responses[i][-1].text  # noqa: E731
    return [whole(p, b) for p, b in zip(preferences, best)], [whole(p, 1 - b) for p, b in zip(preferences, best)]


class Reference:
    """Fitted on pairs; `credit` says what each of other pairs earns."""

    def __init__(self, preferences: Sequence[Preference], strength: float) -> None:
        better, worse = texts(preferences)
        self.words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit([*better, *worse])
        gaps = self._vectors(better) - self._vectors(worse)
        self.model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2000)
        self.model.fit(vstack([gaps, -gaps]), np.repeat([1, 0], gaps.shape[0]))

    def _vectors(self, found: list[str]):
        lengths = np.log1p([[len(t)] for t in found])
        return hstack([self.words.transform(found), csr_matrix(lengths)]).tocsr()

    def credit(self, preferences: Sequence[Preference]) -> np.ndarray:
        """1, 1/2 or 0 per pair."""
        better, worse = texts(preferences)
        gaps = self.model.decision_function(self._vectors(better) - self._vectors(worse))
        return (gaps > 0) + 0.5 * (gaps == 0)


def chosen_strength(preferences: Sequence[Preference]) -> tuple[float, dict[float, float]]:
    """The C of the best cross-validated accuracy, and the accuracy of each."""
    groups = groups_of(preferences)
    found = {}
    for c in STRENGTHS:
        earned = []
        for fit, test in GroupKFold(FOLDS).split(preferences, groups=groups):
            model = Reference([preferences[i] for i in fit], c)
            earned.append(model.credit([preferences[i] for i in test]))
        found[c] = float(np.concatenate(earned).mean())
    return max(found, key=found.__getitem__), found
