"""What the model being trained is worth on held-out preferences: plain loss, accuracy, and length-only beside them."""

import math

import numpy as np

from plaudit.models.forward import Reader
from plaudit.models.score import scores
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Part


def judge(reader: Reader, part: Part, options: TrainOptions) -> dict[str, float]:
    """`eval_*` metrics of one side of the split, from raw score differences.

    Loss is plain Bradley-Terry on labelled, untied comparisons, weighted as in training but without margin or
    smoothing, so that runs with different remedies can be compared. Ties of scores count half. What cannot be told
    (an accuracy without comparisons) is left out.
    """
    reader.eval()
    values = scores(reader, part.encoded, budget=options.batch_tokens, dtype=options.dtype)
    found = summary(values, part)
    lengths = [np.array([float(sum(len(m.text) for m in r)) for r in p.responses]) for p in part.preferences]
    found["plaudit/eval_length_only"] = summary(lengths, part)["eval_accuracy"]
    return {k: v for k, v in found.items() if math.isfinite(v)}


def summary(values: list[np.ndarray], part: Part) -> dict[str, float]:
    """The metrics of given scores, one array [N] per preference; NaN where nothing was held out to tell."""
    c = part.columns
    flat = np.concatenate(values).astype(np.float64) if values else np.zeros(0)
    starts = np.cumsum([0, *map(len, values)])[:-1].astype(np.int64)
    better, worse = starts[c.preference] + c.better, starts[c.preference] + c.worse
    gap = flat[better] - flat[worse] if len(better) else np.zeros(0)
    gap = np.where(c.target >= 0.5, gap, -gap)  # towards the side the label favours
    weight = np.where(c.target == 0.5, 0.0, c.weight)  # a tie, or a label that favours nobody
    total = weight.sum()
    right = (gap > 0) + 0.5 * (gap == 0)
    found = {
        "eval_loss": float((weight * np.logaddexp(0, -gap)).sum() / total) if total else float("nan"),
        "eval_accuracy": float((weight * right).sum() / total) if total else float("nan"),
        "eval_margin": float((weight * gap).sum() / total) if total else float("nan"),
        "eval_min_reward": float(flat.min()) if len(flat) else float("nan"),
        "eval_mean_reward": float(flat.mean()) if len(flat) else float("nan"),
        "eval_max_reward": float(flat.max()) if len(flat) else float("nan"),
        "plaudit/eval_std_reward": float(flat.std()) if len(flat) else float("nan"),
        "plaudit/eval_ties": float((weight * (gap == 0)).sum() / total) if total else float("nan"),
    }
    if not total and len(flat):
        found["eval_loss"] = _pointwise(flat, part)
    return found


def _pointwise(flat: np.ndarray, part: Part) -> float:
    """Mean squared error of rated rows, when nothing but ratings was held out."""
    rated = np.concatenate([r[:, 0] for r in part.columns.ratings])
    seen = np.isfinite(rated)
    return float(np.mean((flat[seen] - rated[seen]) ** 2)) if seen.any() else float("nan")


def better(now: dict[str, float], best: dict[str, float] | None, metric: str) -> bool:
    """Whether an evaluation beats the best so far; a number that is not finite never does."""
    key = f"eval_{metric}"
    if not np.isfinite(now.get(key, np.nan)):
        return False
    if best is None:
        return True
    return now[key] < best[key] if metric == "loss" else now[key] > best[key]
