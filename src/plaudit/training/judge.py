"""What the model being trained is worth on held-out preferences: losses, accuracy, and length-only beside them."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.errors import OptionError
from plaudit.models.forward import Reader
from plaudit.models.score import scores
from plaudit.rewards import length
from plaudit.signals.price import slope
from plaudit.training.batches import Columns, everything
from plaudit.training.labels import Labels
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Part
from plaudit.training.steps.plain import Diverged

PAIRED = ("preference", "better", "worse", "target", "margin", "weight", "strength", "label")  # one a comparison
EACH = ("ranks", "ratings", "own_weight")  # one a preference
MIXED = "plaudit/eval_mixed_loss"  # pairs and ratings together: what the best checkpoint of such a run is best in


def check(part: Part, options: TrainOptions, objective: Objective) -> None:
    """Refuse, before the first step, a held-out side that could not be judged as the options ask.

    Raises:
        OptionError: columns that the chosen losses would leave unread, an accuracy without comparisons, or a choice
            that nothing is held out for.
    """
    if not len(part):
        asked = {"early_stopping_patience": 0, "metric_for_best_model": "loss"}
        idle = [
            f"{k} does nothing: no preference is held out" for k, off in asked.items() if getattr(options, k) != off
        ]
        if idle:
            raise OptionError(idle, advice="hold some out with --held-out or --eval")
        return
    c = part.columns
    asked = (c.target != 0.5) * (options.margin != "none")
    try:
        objective.refuse_unread(everything(replace(c, margin=c.margin + asked)))
    except OptionError as error:
        raise OptionError([f"held out: {mistake}" for mistake in error.mistakes], advice=error.advice) from error
    rated = any(np.isfinite(r).any() and w > 0 for r, w in zip(c.ratings, c.own_weight, strict=True))
    if options.early_stopping_patience and not rated and not (c.weight[c.target != 0.5] > 0).any():
        mistake = "early_stopping_patience: nothing is held out that a model could be better or worse at"
        raise OptionError([mistake], advice="hold comparisons out with --eval, or leave it out")
    if options.metric_for_best_model == "accuracy" and not (c.weight[c.target != 0.5] > 0).any():
        mistake = "metric_for_best_model accuracy: no comparison is held out that one side wins"
        raise OptionError([mistake], advice="choose by loss, or hold comparisons out with --eval")


def every(options: TrainOptions, steps: int) -> int:
    """Steps between two looks at what is held out."""
    return options.eval_steps or max(math.ceil(steps / 4), 1)


def judge(
    reader: Reader, part: Part, options: TrainOptions, objective: Objective, labels: Labels | None = None
) -> dict[str, float]:
    """`eval_*` metrics of one side of the split; what cannot be told (an accuracy without comparisons) is left out.

    Raises:
        Diverged: a score is not finite; the rows are named in the message.
    """
    reader.eval()
    values = scores(reader, part.encoded, budget=options.batch_tokens, dtype=options.dtype)
    lost = [p.source or p.id for p, v in zip(part.preferences, values, strict=True) if not np.isfinite(v).all()]
    if lost:
        advice = "lower --learning-rate, or look at these rows"
        raise Diverged(f"a held-out score is not finite: {', '.join(lost[:8])}", advice=advice)
    found = summary(values, part) | _costs(values, part, options, objective, labels)
    lengths = length.scorer().score_all(part.preferences)
    found["plaudit/eval_length_only"] = summary(lengths, part)["eval_accuracy"]
    point = found.get("plaudit/eval_point_loss", math.nan)
    if math.isnan(found["eval_loss"]):
        found["eval_loss"] = point
    elif options.pointwise_coefficient:
        found[MIXED] = found["eval_loss"] + options.pointwise_coefficient * point
    return {k: v for k, v in found.items() if math.isfinite(v)}


def summary(values: list[np.ndarray], part: Part) -> dict[str, float]:
    """The metrics of given scores, one array [N] per preference; NaN where nothing was held out to tell.

    Loss is plain Bradley-Terry on labelled, untied comparisons, weighted as in training but without margin or
    smoothing, so that runs with different remedies can be compared. Ties of scores count half.
    """
    c = part.columns
    flat = _flat(values)
    gap = _gap(flat, part)
    gap = np.where(c.target >= 0.5, gap, -gap)  # towards the side the label favours
    weight = np.where(c.target == 0.5, 0.0, c.weight)  # a tie, or a label that favours nobody
    total = weight.sum()
    right = (gap > 0) + 0.5 * (gap == 0)
    return {
        "eval_loss": float((weight * np.logaddexp(0, -gap)).sum() / total) if total else float("nan"),
        "eval_accuracy": float((weight * right).sum() / total) if total else float("nan"),
        "eval_margin": float((weight * gap).sum() / total) if total else float("nan"),
        "eval_min_reward": float(flat.min()) if len(flat) else float("nan"),
        "eval_mean_reward": float(flat.mean()) if len(flat) else float("nan"),
        "eval_max_reward": float(flat.max()) if len(flat) else float("nan"),
        "plaudit/eval_std_reward": float(flat.std()) if len(flat) else float("nan"),
        "plaudit/eval_ties": float((weight * (gap == 0)).sum() / total) if total else float("nan"),
        "plaudit/eval_temperature": temperature(gap, np.maximum(c.target, 1 - c.target), weight),
    }


def temperature(
    gap: NDArray[np.float64], belief: NDArray[np.float64] | None = None, weight: NDArray[np.float64] | None = None
) -> float:
    """The T for which sigmoid(gap / T) has the least log loss: above 1 the scores are too sure of themselves.

    `gap` points to the side that the label favours, `belief` is how much (1 by default). NaN without comparisons,
    infinite where the scores say nothing. Where n comparisons leave nothing to regret, T is what Laplace's rule of
    succession allows: an error in n + 2 at the typical gap.

    >>> round(temperature(np.array([2.0, 2.0, 2.0, -2.0])), 4)  # right three times in four: 2 / logit(3/4)
    1.8205
    """
    w = np.ones(len(gap)) if weight is None else weight
    if not w.any():
        return math.nan
    found = slope(gap, np.ones(len(gap)) if belief is None else belief, w)
    return 1 / found if found else math.inf


def _flat(values: list[np.ndarray]) -> NDArray[np.float64]:
    return np.concatenate(values).astype(np.float64) if values else np.zeros(0)


def _gap(flat: NDArray[np.float64], part: Part) -> NDArray[np.float64]:
    """Raw score differences [P], better minus worse."""
    c = part.columns
    sizes = np.array([len(r) for r in c.ratings], np.int64)
    starts = np.cumsum(sizes) - sizes
    return flat[starts[c.preference] + c.better] - flat[starts[c.preference] + c.worse]


@torch.no_grad()
def _costs(
    values: list[np.ndarray], part: Part, options: TrainOptions, objective: Objective, labels: Labels | None
) -> dict[str, float]:
    """The loss as trained, and that of the ratings alone: all that is held out, as one step of its own.

    Margins are asked as training asks them; labels stand as they came, and a contrastive part, which reads no label,
    stays out.
    """
    flat = _flat(values)
    columns = part.columns
    if labels is not None:
        columns = replace(columns, margin=labels.asked(columns, _gap(flat, part)))
    micro = [everything(c) for c in _slices(columns)]
    whole = objective.weights_of(micro)
    if whole.empty:
        return {}
    parts = np.split(flat, np.cumsum([len(b.group) for b in micro])[:-1])
    sums = [objective(torch.from_numpy(part), batch, whole)[1] for part, batch in zip(parts, micro, strict=True)]
    found = {"plaudit/eval_trained_loss": sum(s["loss_sum"] for s in sums)}
    if whole.points:
        found["plaudit/eval_point_loss"] = sum(s["point_sum"] for s in sums) / whole.points
    return found


def _slices(columns: Columns, size: int = 512) -> Iterator[Columns]:
    """The columns of `size` preferences at a time: list losses take memory with the square of what they see at once."""
    for a in range(0, len(columns.ranks), size):
        mine = (columns.preference >= a) & (columns.preference < a + size)
        own: dict[str, Any] = {k: v[mine] for k in PAIRED if (v := getattr(columns, k)) is not None}
        own["preference"] = own["preference"] - a
        yield replace(columns, **own, **{k: getattr(columns, k)[a : a + size] for k in EACH})


def measure(now: dict[str, float], metric: str) -> str:
    """The name of the number that an evaluation is judged by."""
    return MIXED if metric == "loss" and MIXED in now else f"eval_{metric}"


def better(now: dict[str, float], best: dict[str, float] | None, metric: str) -> bool:
    """Whether an evaluation beats the best so far; a number that is not finite never does.

    By loss a run of pairs and ratings is judged by both: plain Bradley-Terry plus the coefficient times the point loss.
    """
    key = measure(now, metric)
    if not np.isfinite(now.get(key, np.nan)):
        return False
    if best is None:
        return True
    before = best.get(key, best[f"eval_{metric}"])  # a run begun by an older version knows one of them only
    return now[key] < before if metric == "loss" else now[key] > before
