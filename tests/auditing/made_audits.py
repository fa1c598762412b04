"""Audits made by hand: signals that are given rather than voted for, published as the audit publishes its own."""

from pathlib import Path

import numpy as np

from plaudit.auditing import store
from plaudit.data.read import read
from plaudit.records import Preference
from plaudit.signals.price import decile, verdict
from plaudit.signals.votes import Signals


def comparisons(files, **how):
    """(preference, better, worse) of everything that was judged."""
    rows = read([str(f) for f in files], **how)
    found = [r for row in rows for r in row.records if isinstance(r, Preference)]
    return [(p, i, j) for p in found for i, j in p.comparisons()]


def made(files, folder, mean, *, told=True, summary=None, **how) -> Path:
    """Publish an audit of the files; `mean` is the committee's, an array or a function of the row's number.

    `told`: whether the rate of wrong labels could be told; else p_wrong is empty. `summary`: more keys of audit.json.
    """
    found = comparisons(files, **how)
    n = len(found)
    mean = np.array([mean(i) for i in range(n)], float) if callable(mean) else np.asarray(mean, float)
    p = 1 / (1 + np.exp(mean))
    text = lambda values: np.array(values, object)  # noqa: E731
    columns = {
        "id": text([r.id for r, *_ in found]), "better": np.array([i for _, i, _ in found], np.int32),
        "worse": np.array([j for *_, j in found], np.int32), "content": text([r.content for r, *_ in found]),
        "source": text([r.source for r, *_ in found]), "margins": np.stack([mean - 0.1, mean + 0.1], 1),
        "mean": mean, "std": np.full(n, 0.1), "decile": decile(mean), "p_disagree": p,
        "p_wrong": p if told else np.full(n, np.nan),
        "verdict": text(verdict(p).tolist()),
    }  # fmt: skip
    plain = {
        "rows": {"comparisons": n}, "thresholds": {}, "folds": 5, "length": {}, "members": [],
        "accuracy": {"n": 0, "score": None, "low": None, "high": None}, "voters": {"model": "", "scorer": ""},
    }  # fmt: skip
    summary = {**plain, **(summary or {})}
    store.save(Path(folder), Signals(columns, {}), summary, "<html></html>", lambda to: (to / "empty").touch())
    return Path(folder)
