"""Fifty arms with Bradley-Terry comparisons whose counts follow Zipf's law, and every way of scoring the arms.

`smoothing.py` runs and writes it. Scores are one number an arm; the loss is summed and descent takes the whole of it, so
an epoch is a step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from plaudit.seeds import generator
from plaudit.training.relabel import smoothing
from plaudit.training.solve import solve

ARMS, PAIRS, BUSIEST, FOLDS, EPOCHS = 50, 120, 60, 5, 2500
BETAS = (0.0, 0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.4)  # 0 is maximum likelihood
SETTLED = 0.012  # from this beta on, smoothing is at its end after EPOCHS
LAMBDAS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)  # on half the squared scores, beside the summed loss
DEFAULT = signature(smoothing.relabel).parameters["beta"].default
SEEN = np.unique(np.round(np.geomspace(1, EPOCHS, 60)).astype(int))  # epochs whose scores are looked at
JUDGES = (
    "gap error", "gap error, compared once", "gap error, compared 10 times or more", "accuracy", "log loss", "regret",
)  # fmt: skip


@dataclass(frozen=True)
class Duels:
    """`rows` [U, K]: +1 at the winner, -1 at the loser, one row per (winner, loser); how often each came.

    `count` [U, F + 1]: outside each fold, and in all; `held` [U, F]: inside each fold. `often` [K, K] by pair.
    """

    strength: NDArray
    rows: NDArray
    count: NDArray
    held: NDArray
    often: NDArray


def over_pairs(draw: np.random.Generator) -> tuple[NDArray, NDArray]:
    """PAIRS pairs at random; the r-th is compared BUSIEST / r times, or once."""
    first, second = np.triu_indices(ARMS, 1)
    some = draw.permutation(len(first))[:PAIRS]
    count = np.maximum(1, np.round(BUSIEST / np.arange(1, PAIRS + 1))).astype(int)
    return np.repeat(first[some], count), np.repeat(second[some], count)


def over_arms(draw: np.random.Generator) -> tuple[NDArray, NDArray]:
    """As many comparisons, between arms that come up with chance 1 / r."""
    n = len(over_pairs(draw)[0])
    chance = 1 / draw.permutation(np.arange(1, ARMS + 1))
    both = np.array([draw.choice(ARMS, 2, replace=False, p=chance / chance.sum()) for _ in range(n)])
    return both[:, 0], both[:, 1]


def duels(kind: Callable, seed: int) -> Duels:
    """Strengths from a standard normal, Bradley-Terry outcomes, folds over comparisons."""
    draw = generator(seed, f"benchmark smoothing {kind.__name__}")
    strength = draw.normal(size=ARMS)
    a, b = kind(draw)
    up = draw.random(len(a)) < expit(strength[a] - strength[b])
    winner, loser = np.where(up, a, b), np.where(up, b, a)
    codes, place = np.unique(winner * ARMS + loser, return_inverse=True)
    fold = draw.permutation(len(a)) % FOLDS
    held = np.stack([np.bincount(place, fold == f, len(codes)) for f in range(FOLDS)], 1)
    whole = held.sum(1, keepdims=True)
    rows = np.eye(ARMS)[codes // ARMS] - np.eye(ARMS)[codes % ARMS]
    often = np.zeros((ARMS, ARMS))
    np.add.at(often, (a, b), 1)
    return Duels(strength, rows, np.concatenate([whole - held, whole], 1), held, often + often.T)


def step_of(world: Duels) -> float:
    """The longest step at which no direction overshoots: 1 / the largest curvature of the summed loss."""
    return float(4 / np.linalg.eigvalsh(world.rows.T @ (world.count[:, -1:] * world.rows))[-1])


def descended(world: Duels) -> tuple[NDArray, float]:
    """Scores [epochs seen, K, F + 1, B] for every fold left out and every beta, and the largest breach of the sum."""
    step, shape = step_of(world), (FOLDS + 1, len(BETAS))
    count = np.repeat(world.count, len(BETAS), 1)  # [U, (F + 1) B]
    beta = np.tile(BETAS, FOLDS + 1)
    theta, target = np.zeros((ARMS, count.shape[1])), np.ones_like(count)
    none, push, seen, breach = np.zeros_like(count), step * world.rows.T, [], 0.0
    first = push @ count
    for epoch in range(1, EPOCHS + 1):
        gap = world.rows @ theta
        theta = theta + push @ (count * (target - expit(gap)))
        target, _ = smoothing.relabel(target, none, gap, beta=beta)
        if epoch in SEEN:
            seen.append(theta.reshape(ARMS, *shape))
            breach = max(breach, float(np.abs(beta * theta + push @ (count * target) - first).max()))
    return np.stack(seen), breach


def ridged(world: Duels, lambdas: NDArray) -> NDArray:
    """Scores [K, F + 1, L] at the optimum of the summed loss and lambda / 2 times the squared scores."""
    count = np.repeat(world.count, len(lambdas), 1)
    ridge = np.tile(lambdas, FOLDS + 1) / count.sum(0)
    rows, weight = torch.from_numpy(world.rows), torch.from_numpy(count)
    heads = solve(rows, weight, torch.ones(len(rows), dtype=rows.dtype), torch.from_numpy(ridge), tolerance=1e-9)
    return heads.numpy().reshape(ARMS, FOLDS + 1, len(lambdas))


def held_loss(world: Duels, scores: NDArray) -> NDArray:
    """Mean loss on held-out comparisons of scores [..., K, F + 1, B]: [..., B]."""
    gap = np.einsum("uk,...kfb->...ufb", world.rows, scores[..., :FOLDS, :])
    return np.einsum("uf,...ufb->...b", world.held, np.logaddexp(0, -gap)) / world.held.sum()


def fitted(world: Duels) -> tuple[dict[str, NDArray], dict[str, float]]:
    """Scores [K] of every method, and facts: choices, the breach, how far smoothing's end is from ridge."""
    paths, breach = descended(world)
    loss, end = held_loss(world, paths), paths[:, :, -1]  # end [epochs seen, K, B]: fitted on all comparisons
    stop, best = int(loss[:, 0].argmin()), 1 + int(loss[-1, 1:].argmin())
    when, which = np.unravel_index(loss[:, 1:].argmin(), loss[:, 1:].shape)
    ridge = ridged(world, np.array(LAMBDAS))
    lam = int(held_loss(world, ridge).argmin())
    penalised = ridge[:, -1, lam]
    won = world.rows.T @ world.count[:, -1] / np.maximum(world.often.sum(1), 1)
    scores = {
        "all equal": np.zeros(ARMS), "wins minus losses, by comparisons": won, "maximum likelihood": end[-1, :, 0],
        "maximum likelihood, stopped early": end[stop, :, 0], "ridge": penalised,
        "ridge minus one standard error": penalised - doubt(world, penalised, LAMBDAS[lam]),
        "smoothing": end[-1, :, best], "smoothing, stopped early": end[when, :, 1 + which],
        f"smoothing, beta {DEFAULT:g}": end[-1, :, BETAS.index(DEFAULT)], "the truth": world.strength,
    }  # fmt: skip
    late, step = BETAS.index(SETTLED), step_of(world)
    twin = ridged(world, np.array(BETAS[late:]) / step)[:, -1]
    often = world.often[np.triu_indices(ARMS, 1)]
    lost = (world.count[:, -1:] * (world.rows < 0)).sum(0)
    always = ((lost == 0) | (lost == world.often.sum(1))) & (world.often.sum(1) > 0)
    return scores, {
        "breach": breach, "beta": BETAS[best], "lambda": LAMBDAS[lam], "stopped": float(SEEN[stop]), "step": step,
        "from ridge": float(np.abs(end[-1, :, late:] - twin).max()), "largest": float(np.abs(end[-1, :, 0]).max()),
        "once": float((often == 1).sum() / (often > 0).sum()), "comparisons": float(world.held.sum()),
        "always": float(always.sum()),
    }  # fmt: skip


def doubt(world: Duels, scores: NDArray, ridge: float) -> NDArray:
    """Standard errors [K]: of the normal approximation with the penalty as its prior; widest where counts are few."""
    p = expit(world.rows @ scores)
    curve = world.rows.T @ ((world.count[:, -1] * p * (1 - p))[:, None] * world.rows)
    return np.sqrt(np.diag(np.linalg.inv(curve + ridge * np.eye(ARMS))))


def judged(world: Duels, scores: NDArray) -> dict[str, float]:
    """All JUDGES, exact under the truth: the fresh comparisons are between two arms at random."""
    one, other = np.triu_indices(ARMS, 1)
    truth, gap = world.strength[one] - world.strength[other], scores[one] - scores[other]
    often = world.often[one, other]
    error = lambda keep: float(np.sqrt(np.mean((gap - truth)[keep] ** 2)))  # noqa: E731
    chance = expit(truth)
    top = world.strength[scores == scores.max()].mean()
    values = (
        error(often >= 0), error(often == 1), error(often >= 10),
        float((np.sign(gap) * np.sign(truth) / 2 + 0.5).mean()),
        float((chance * np.logaddexp(0, -gap) + (1 - chance) * np.logaddexp(0, gap)).mean()),
        float(world.strength.max() - top),
    )  # fmt: skip
    return dict(zip(JUDGES, values, strict=True))
