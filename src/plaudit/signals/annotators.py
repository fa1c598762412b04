"""How far annotators agree, and how often each is right: Krippendorff's alpha, Dawid & Skene, noisy Bradley-Terry.

Judgements are rows [J]: an item, an annotator and a label, each a code 0, 1, 2, ...; nothing is known of the truth.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EPS = 1e-10  # least probability of an error: a log of 0 would let one judgement outvote all others
_SOFT = 0.01  # a weak prior on habits and skills: without it an annotator of three judgements drives both to infinity


class Agreement(NamedTuple):
    """Krippendorff's alpha, and the share of pairs of judgements of one item that are equal; `pairs` of them."""

    alpha: float
    observed: float
    pairs: float


def coincidences(item: NDArray, label: NDArray, classes: int) -> NDArray[np.float64]:
    """Coincidence matrix of every item, [I, K, K]: its ordered pairs of judgements, 1 / (judgements - 1) each.

    Items that were judged once hold zeros.
    """
    items = int(item.max()) + 1 if len(item) else 0
    counts = np.zeros((items, classes))
    np.add.at(counts, (item, label), 1.0)
    total = counts.sum(1)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(classes), np.arange(classes)] -= counts
    return pairs / np.maximum(total - 1, 1)[:, None, None]


def agreement(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(alpha, observed agreement) of summed coincidence matrices [..., K, K]: [..., 2]; NaN where nothing repeats.

    alpha = 1 - D_o / D_e for nominal data (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    """
    n = table.sum((-2, -1))
    same = np.trace(table, axis1=-2, axis2=-1)
    marginal = table.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = same / n
        expected = (marginal * (marginal - 1)).sum(-1) / (n * (n - 1))
        alpha = 1 - (1 - observed) / (1 - expected)
    return np.stack([np.where(expected < 1, alpha, np.nan), observed], -1)


def krippendorff(item: NDArray, label: NDArray, classes: int) -> Agreement:
    """Agreement on nominal labels; who judged does not enter.

    >>> item = np.repeat(np.arange(4), 2); label = np.array([0, 0, 1, 1, 0, 1, 0, 0])
    >>> found = krippendorff(item, label, 2)
    >>> round(found.alpha, 4), found.observed
    (0.5333, 0.75)
    """
    table = coincidences(item, label, classes)
    alpha, observed = agreement(table.sum(0)) if len(table) else (np.nan, np.nan)
    several = np.bincount(item, minlength=len(table)) if len(item) else np.zeros(0)
    return Agreement(float(alpha), float(observed), float((several * (several - 1) / 2).sum()))


def coincidences_between(item: NDArray, annotator: NDArray, label: NDArray, classes: int) -> NDArray[np.float64]:
    """The same between different annotators only, [I, K, K]: `annotators - 1` in place of `judgements - 1`.

    An annotator who gave an item several labels has one voice, split between them: what somebody says against himself
    is no disagreement of two. Where everybody judged once it equals `coincidences`.

    >>> twice = np.array([0, 0]), np.array([7, 7]), np.array([0, 1])  # one annotator, both labels
    >>> float(coincidences_between(*twice, 2).sum())
    0.0
    """
    items = int(item.max()) + 1 if len(item) else 0
    if not items:
        return np.zeros((0, classes, classes))
    voices, who = np.unique(np.column_stack([item, annotator]), axis=0, return_inverse=True)
    each = np.zeros((len(voices), classes))
    np.add.at(each, (who.ravel(), label), 1.0)
    each /= each.sum(1, keepdims=True)
    people = np.bincount(voices[:, 0], minlength=items)
    total, own = np.zeros((items, classes)), np.zeros((items, classes, classes))
    np.add.at(total, voices[:, 0], each)
    np.add.at(own, voices[:, 0], each[:, :, None] * each[:, None, :])
    pairs = total[:, :, None] * total[:, None, :] - own
    pairs[people < 2] = 0.0
    return pairs / np.maximum(people - 1, 1)[:, None, None]


@dataclass(frozen=True)
class DawidSkene:
    """`truth` [I, K]: posterior of every item's label; `prior` [K]; `errors` [A, true, given]: P(given | true).

    `skill` [A]: expected share of an annotator's judgements that are right.
    """

    truth: NDArray[np.float64]
    prior: NDArray[np.float64]
    errors: NDArray[np.float64]
    skill: NDArray[np.float64]
    steps: int


def dawid_skene(
    item: NDArray, annotator: NDArray, label: NDArray, classes: int, *, one_coin: bool = False, pull: float = 0.0,
    even: bool = False, weight: NDArray[np.float64] | None = None, start: NDArray[np.float64] | None = None,
    steps: int = 100, tolerance: float = 1e-6,
) -> DawidSkene:  # fmt: skip
    """Expectation maximisation for annotators with confusion matrices of their own, from the majority's shares.

    Dawid & Skene 1979, eqs. 2.3-2.5. `one_coin`: one skill an annotator, errors spread evenly over the other labels
    (Zhang, Chen, Zhou & Jordan 2016): steadier when annotators repeat little. `pull`: that many judgements of pooled
    skill are added to each annotator (ours). `even`: all labels are equally common, for labels whose names are
    arbitrary. `weight` [I] counts items, for a bootstrap, which may `start` from the posteriors of a whole fit.
    Ends when no posterior moves more than `tolerance`.

    With two annotators only the product of their skills is known; they come out equal.

    >>> item = np.repeat(np.arange(3), 3); who = np.tile(np.arange(3), 3)
    >>> label = np.array([0, 0, 1, 1, 1, 1, 0, 0, 1])
    >>> dawid_skene(item, who, label, 2).truth.argmax(1).tolist()
    [0, 1, 0]
    """
    items, people = int(item.max()) + 1, int(annotator.max()) + 1
    many = np.ones(items) if weight is None else weight
    votes = np.zeros((items, classes))
    np.add.at(votes, (item, label), 1.0)
    truth = votes / np.maximum(votes.sum(1, keepdims=True), 1) if start is None else start
    done, moved = 0, np.inf
    while done < steps and moved > tolerance:
        done += 1
        prior, errors, skill = _maximise(truth, item, annotator, label, people, many, one_coin, pull, even)
        found = _expect(prior, errors, item, annotator, label, items)
        moved = float(np.abs(found - truth).max())
        truth = found
    prior, errors, skill = _maximise(truth, item, annotator, label, people, many, one_coin, pull, even)
    return DawidSkene(truth, prior, errors, skill, done)


def _maximise(
    truth: NDArray, item: NDArray, annotator: NDArray, label: NDArray, people: int, many: NDArray,
    one_coin: bool, pull: float, even: bool,
) -> tuple[NDArray, NDArray, NDArray]:  # fmt: skip
    """Prior of labels, errors and skill of every annotator, given the posteriors."""
    classes = truth.shape[1]
    prior = np.full(classes, 1 / classes) if even else many @ truth / many.sum()
    mass = truth[item] * many[item, None]  # [J, K]
    given = annotator * classes + label
    counts = np.stack([np.bincount(given, mass[:, k], people * classes) for k in range(classes)])
    counts = counts.reshape(classes, people, classes).transpose(1, 0, 2)  # [A, true, given]
    right, total = np.trace(counts, axis1=1, axis2=2), counts.sum((1, 2))
    pooled = right.sum() / max(total.sum(), _EPS)
    skill = (right + pull * pooled) / np.maximum(total + pull, _EPS)
    if not one_coin:
        counts = np.maximum(counts, _EPS)
        return prior, counts / counts.sum(2, keepdims=True), skill
    own = np.clip(skill, _EPS, 1 - _EPS)[:, None, None]
    other = np.clip((1 - own) / max(classes - 1, 1), _EPS, 1 - _EPS)
    return prior, np.where(np.eye(classes, dtype=bool)[None], own, other), skill


def _expect(
    prior: NDArray, errors: NDArray, item: NDArray, annotator: NDArray, label: NDArray, items: int
) -> NDArray[np.float64]:
    """Posterior of every item's label [I, K]."""
    each = np.log(errors)[annotator, :, label]  # [J, true]
    log = np.log(np.maximum(prior, _EPS)) + np.stack([np.bincount(item, column, items) for column in each.T], 1)
    odds = np.exp(log - log.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@dataclass(frozen=True)
class NoisyBradleyTerry:
    """`scores` [N]; `skill` [A]: the share of an annotator's judgements that look at the responses at all.

    `habit` [A]: the chance that the left one is picked in the others. `log_likelihood` of the data, without priors.
    """

    scores: NDArray[np.float64]
    skill: NDArray[np.float64]
    habit: NDArray[np.float64]
    log_likelihood: float


def noisy_bradley_terry(
    left: NDArray, right: NDArray, left_won: NDArray[np.bool_], annotator: NDArray, *, ridge: float = 0.1,
    steps: int = 500,
) -> NoisyBradleyTerry:  # fmt: skip
    """Scores of responses that are compared several times, by annotators who do not always look.

    P(left wins) = g sigmoid(s_left - s_right) + (1 - g) sigmoid(q): skill g and habit q of the annotator; a
    Bradley-Terry model with noise and bias as in crowd-kit, after Chen, Bennett, Collins-Thompson & Horvitz 2013.
    `ridge`: weight of a won and a lost comparison of every response with one of score 0, which keeps scores finite.

    >>> a, b, c = 0, 1, 2
    >>> left = np.array([a, b, a, b, a, b]); right = np.array([b, c, c, a, b, c])
    >>> fit = noisy_bradley_terry(left, right, np.array([1, 1, 1, 0, 1, 1], bool), np.zeros(6, int))
    >>> fit.scores.argsort()[::-1].tolist()
    [0, 1, 2]
    """
    from scipy.optimize import minimize

    n, people = int(max(left.max(), right.max())) + 1, int(annotator.max()) + 1
    sign = np.where(left_won, 1.0, -1.0)

    def down(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = _data(x, left, right, sign, annotator, n, people)
        score, soft = x[:n], x[n:] - np.repeat([0.0, 1.0], people)  # habits about 1/2, skills about 0.73
        value -= ridge * (np.logaddexp(0, score) + np.logaddexp(0, -score)).sum() + _SOFT * (soft**2).sum() / 2
        slope[:n] -= ridge * np.tanh(score / 2)
        slope[n:] -= _SOFT * soft
        return -value, -slope

    start = np.concatenate([np.zeros(n), np.zeros(people), np.full(people, 2.0)])
    x = minimize(down, start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-12, "gtol": 1e-7}).x
    value, _ = _data(x, left, right, sign, annotator, n, people)
    return NoisyBradleyTerry(x[:n], _sigmoid(x[n + people :]), _sigmoid(x[n : n + people]), value)


def _data(
    x: NDArray, left: NDArray, right: NDArray, sign: NDArray, annotator: NDArray, n: int, people: int
) -> tuple[float, NDArray[np.float64]]:
    """Log likelihood of the judgements and its gradient in scores, habits and skills."""
    habit, skill = x[n : n + people][annotator], _sigmoid(x[n + people :])[annotator]
    looks, does = _sigmoid(sign * (x[left] - x[right])), _sigmoid(sign * habit)
    chance = np.maximum(skill * looks + (1 - skill) * does, 1e-300)
    slope = np.zeros_like(x)
    by_gap = skill * sign * looks * (1 - looks) / chance
    slope[:n] = np.bincount(left, by_gap, n) - np.bincount(right, by_gap, n)
    slope[n : n + people] = np.bincount(annotator, (1 - skill) * sign * does * (1 - does) / chance, people)
    slope[n + people :] = np.bincount(annotator, skill * (1 - skill) * (looks - does) / chance, people)
    return float(np.log(chance).sum()), slope


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))
