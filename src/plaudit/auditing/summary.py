"""The audit in numbers, as audit.json holds it, and the pairs worth looking at first."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing.checking import bounded
from plaudit.auditing.material import Docket, Material
from plaudit.auditing.options import AuditOptions
from plaudit.data.checks._parts import tails
from plaudit.data.findings import Finding
from plaudit.data.options import given
from plaudit.metrics.intervals import difference_interval, mean_interval
from plaudit.report.pages.audit import Shown
from plaudit.signals.noise import WIDEST, Noise
from plaudit.signals.votes import VERDICTS, Signals, Votes

SEEN = (
    "the votes may have learned these labels (--scorer, --in-sample), so p_wrong is empty; "
    "a committee that votes out of fold (--model) can tell"
)
LISTED = 100  # rows that were left out, by name
OWN = {  # options that stand elsewhere, or say where and how fast rather than what
    "model", "scorer", "against", "shown", "device", "batch_tokens", "cache", "cache_gb", "rejects", "dry_run",
    "line_bytes",
}  # fmt: skip


def document(
    material: Material, case: Docket, signals: Signals, votes: Votes, noise: Noise | None,
    findings: Sequence[Finding], options: AuditOptions, alike: NDArray[np.float64],
) -> dict[str, Any]:  # fmt: skip
    """audit.json: keys that other tools may rely on first, then more; no clock, no path of a machine."""
    judged = votes.target != 0.5
    any_fold = not in_sample(votes)
    right = accuracy(signals["mean"][judged], case.group[judged])
    kinds, counts = np.unique(signals["verdict"], return_counts=True)
    found = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    name = _namer([f.path for f in material.seen.files])
    return {
        "rows": {
            "read": material.rows, "rejected": material.rejected, "preferences": len(material.preferences),
            "audited": len(case.preferences), "comparisons": signals.rows, "ties": int((~judged).sum()),
            "lists": sum(len(p.responses) > 2 for p in case.preferences),
            "groups": len(np.unique(case.group)), "left_out": len(material.left),
        },
        "members": [
            {"name": name, "accuracy": _share(votes.margins_PK[judged, k])} for k, name in enumerate(votes.names)
        ],
        "folds": len(np.unique(votes.fold)) if any_fold else 0,
        "verdicts": {name: found.get(name, 0) for name in VERDICTS},
        "deciles": deciles(signals, judged),
        "data_checks": {f.name: f.document() for f in bounded(findings, right, any_fold)},
        "noise": noise_document(noise, options.noise, any_fold),
        "thresholds": signals.facts["thresholds"],
        "temperature": {str(k): v for k, v in dict(signals.facts["temperature"]).items()},  # type: ignore[call-overload]
        "accuracy": right,
        "length": beside_length(
            signals["mean"][judged], signals["chosen_is_longer"][judged], case.group[judged], files_of(signals)[judged]
        ),
        "likeness": _likeness(alike),
        "sources": by_column(signals, files_of(signals), votes),
        "tags": by_tag(case, signals, votes),
        "annotators": by_column(signals, signals["annotator"], votes) if any(signals["annotator"]) else {},
        "voters": {"model": options.model, "scorer": options.scorer, "in_sample": options.in_sample,
                   "dtype": options.dtype, "heads": options.heads, "seed": options.seed},
        "options": chosen(options),
        "left_out_reasons": reasons(why for _, why in material.left),
        "left_out": [{"where": name(where), "reason": why} for where, why in material.left[:LISTED]],
    }  # fmt: skip


def chosen(options: AuditOptions) -> dict[str, Any]:
    """Options that differ from the default and matter to whoever runs the next command; no path, no machine's own."""
    values = options.model_dump(mode="json")
    out = {name: values[name] for name in given(options) if name not in OWN}
    if options.against:
        paths = [path.strip() for path in options.against.split(",") if path.strip()]
        out["against"] = ",".join(path if path.startswith("hub:") else _bare(path.rstrip("/\\")) for path in paths)
    return out


def reasons(words: Iterable[str], most: int = 10) -> dict[str, int]:
    """How often each reason was given, numbers in it left aside; the commonest first.

    >>> reasons(["601 tokens do not fit 512", "777 tokens do not fit 512", "empty"])
    {'… tokens do not fit …': 2, 'empty': 1}
    """
    kinds = Counter(re.sub(r"\d[\d,]*", "…", why) for why in words)
    return dict(kinds.most_common(most))


def _namer(paths: Sequence[str]) -> Callable[[str], str]:
    """From path:line to the same with as much of the path as tells the files apart."""
    named = dict(zip(paths, tails(paths), strict=True))

    def name(where: str) -> str:
        path, _, line = where.rpartition(":")
        return f"{named[path]}:{line}" if path in named else _bare(where)

    return name


def _bare(where: str) -> str:
    """file:line without the file's folder, which is a matter of this machine."""
    return where.replace("\\", "/").rsplit("/", 1)[-1]


def _share(margins: NDArray) -> float:
    """Share of comparisons decided as labelled, ties half."""
    return float(((margins > 0) + 0.5 * (margins == 0)).mean()) if len(margins) else float("nan")


def accuracy(mean: NDArray, group: NDArray) -> dict[str, Any]:
    """How often the committee agrees with labels it never saw: a lower bound of what can be reached. 95 % interval."""
    if not len(mean):
        return {"score": None, "low": None, "high": None, "n": 0}
    right = (mean > 0) + 0.5 * (mean == 0)
    found = mean_interval(right, group)
    return {"score": float(right.mean()), "low": found.low, "high": found.high, "n": len(right)}


def beside_length(mean: NDArray, longer: NDArray, group: NDArray, file: NDArray | None = None) -> dict[str, Any]:
    """Are the votes more than length? Rows [P]; `longer` is 1, 0 or -1 as the better response is longer or shorter.

    `score`: labels that length alone gets right, in the direction that suits them (`prefers`), or that suits the rows
    of a `file` where that one surely goes the other way (`otherwise`: HH's two parts do, and pooled they hide it).
    `sides`: votes that go the same way as length; `ahead`: the committee's agreement minus length's on the same rows,
    95 % interval. `mere`: the votes follow length more often than chance and are not surely better than it.

    >>> found = beside_length(np.array([1.0, 1, -1, 1]), np.array([1, 1, 1, -1]), np.arange(4))
    >>> found["prefers"], found["score"], found["sides"], found["ahead"]
    ('longer', 0.75, 0.5, 0.0)
    """
    if not len(mean):
        return {"prefers": None, "otherwise": [], "score": None, "sides": None, "ahead": None, "low": None,
                "high": None, "mere": False}  # fmt: skip
    credit = (longer > 0) + 0.5 * (longer == 0)
    prefers = "longer" if credit.mean() >= 0.5 else "shorter"
    credit = credit if prefers == "longer" else 1 - credit
    names = np.zeros(len(mean)) if file is None else file
    parts = [name for name in np.unique(names) if not (names == name).all()]
    level = 1 - 0.05 / max(len(parts), 1)  # of every file looked at (Bonferroni)
    otherwise = [n for n in parts if mean_interval(credit[names == n], group[names == n], level=level).high < 0.5]
    credit = np.where(np.isin(names, otherwise), 1 - credit, credit)
    right = (mean > 0) + 0.5 * (mean == 0)
    gap = difference_interval(right, credit, group)
    told = (longer != 0) & (mean != 0)
    same = (right == credit)[told].astype(float)
    follows = bool(told.any()) and mean_interval(same, group[told]).low > 0.5
    return {
        "prefers": prefers, "otherwise": list(map(str, otherwise)), "score": float(credit.mean()),
        "sides": float(same.mean()) if told.any() else None, "ahead": float(right.mean() - credit.mean()),
        "low": gap.low, "high": gap.high, "mere": follows and gap.low <= 0,
    }  # fmt: skip


def _likeness(alike: NDArray) -> dict[str, Any]:
    off = alike[~np.eye(len(alike), dtype=bool)]
    mean = float(off.mean()) if len(off) else 1.0
    return {"mean": round(mean, 4), "members": np.round(alike, 3).tolist()}


def deciles(signals: Signals, judged: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Ten rows: what each tenth by strength looks like; a labelled tie was won by neither length nor vote."""
    out = []
    for d in range(1, 11):
        rows = signals["decile"] == d
        if rows.any():
            mean = signals["mean"][rows]
            out.append({
                "decile": d, "n": int(rows.sum()), "low": float(mean.min()), "high": float(mean.max()),
                "mean": float(mean.mean()), "std": float(signals["std"][rows].mean()),
                "p_disagree": float(signals["p_disagree"][rows].mean()),
                "vote_share": _even(signals["vote_share"][rows & judged]),
                "longer": _longer(signals, rows & judged),
            })  # fmt: skip
    return out


def _even(share: NDArray) -> float:
    """The mean of shares; one half where there is none."""
    return float(share.mean()) if len(share) else 0.5


def _longer(signals: Signals, rows: NDArray[np.bool_]) -> float:
    """Share of these rows that the longer response won, equal lengths half."""
    longer = signals["chosen_is_longer"][rows]
    return _even((longer > 0) + 0.5 * (longer == 0))


def files_of(signals: Signals) -> NDArray:
    """The file of every comparison, by the shortest end of its path that tells it from the others."""
    paths = [s.rsplit(":", 1)[0] for s in signals["source"]]
    kinds = sorted(set(paths))
    named = dict(zip(kinds, tails(kinds), strict=True))
    return np.array([named[path] for path in paths], object)


def by_column(signals: Signals, kind: NDArray, votes: Votes, most: int = 50) -> dict[str, Any]:
    """Verdicts, agreement and length skew of every value of a column, the commonest `most` of them."""
    names, place, counts = np.unique(kind.astype(object), return_inverse=True, return_counts=True)  # texts may be long
    out = {}
    for at in np.argsort(-counts, kind="stable")[:most]:
        rows = place == at
        judged = rows & (votes.target != 0.5)
        verdict = signals["verdict"][rows]
        out[str(names[at])] = {
            "n": int(counts[at]), "accuracy": _share(signals["mean"][judged]),
            "p_disagree": float(signals["p_disagree"][rows].mean()),
            "longer": _longer(signals, judged),
            **{name: int((verdict == name).sum()) for name in VERDICTS},
        }  # fmt: skip
    return out


def by_tag(case: Docket, signals: Signals, votes: Votes, most: int = 12, tags: int = 12) -> dict[str, Any]:
    """The same of every tag that sorts the comparisons into kinds: its `most` commonest values, and how many more
    there are. A tag whose values mostly name single comparisons is an id, and left out; so are tags after `tags`.
    """
    out: dict[str, Any] = {}
    for tag in sorted({tag for p in case.preferences for tag in p.tags}):
        kind = np.array([p.tags.get(tag, "") for p in case.preferences], object)[case.comparisons.preference]
        names, counts = np.unique(kind[kind != ""], return_counts=True)
        if len(names) < 2 or len(names) > counts.sum() / 3 or len(out) == tags:
            continue
        rows = by_column(signals, kind, votes, most + 1)  # one more: those that do not say are no value
        shown = {name: row for name, row in rows.items() if name}
        kept = dict(list(shown.items())[:most])
        rest = int(counts.sum()) - sum(row["n"] for row in kept.values())
        out[tag] = {"values": kept, "more": len(names) - len(kept), "more_comparisons": rest}
    return out


def in_sample(votes: Votes) -> bool:
    """May all the votes have seen the labels?"""
    return bool((votes.fold < 0).all())


def noise_document(noise: Noise | None, asked: str = "uniform", out_of_fold: bool = True) -> dict[str, Any]:
    """The noise model by name (`by`: of what) with its rates, their intervals, and whether each is told by the votes;
    without one, that p_wrong is empty, and why.
    """
    if noise is None and not out_of_fold and asked != "none":
        return {"model": None, "text": f"no rate of wrong labels: {SEEN}"}
    if noise is None:
        return {"model": None, "text": "no noise model was named, so p_wrong is empty"}
    rates = {
        name: {"rate": rate, "low": low, "high": high, "n": n, "identified": high - low < WIDEST}
        for name, (rate, low, high, n) in noise.rates.items()
    }
    by = {"uniform": "", "group": "file"}.get(asked, asked)
    return {"model": noise.model, "by": by, "identified": noise.identified, "slope": noise.slope, "rates": rates}


def suspicious(case: Docket, signals: Signals, most: int) -> list[Shown]:
    """The pairs with the highest p_disagree, one a preference, with their texts."""
    out: list[Shown] = []
    seen: set[str] = set()
    files = files_of(signals)
    for row in np.lexsort((np.arange(signals.rows), -signals["p_disagree"])):
        at = int(case.comparisons.preference[row])
        if len(out) == most:
            break
        p = case.preferences[at]
        if p.content in seen or p.is_tie:
            continue
        seen.add(p.content)
        better, worse = int(case.comparisons.better[row]), int(case.comparisons.worse[row])
        line = p.source.rpartition(":")[2]
        facts: Mapping[str, float] = {name: float(signals[name][row]) for name in ("p_disagree", "mean", "std")}
        out.append(Shown(
            p.id, f"{files[row]}:{line}" if line else "", p.annotator, str(signals["verdict"][row]), **facts,
            vote_share=float(signals["vote_share"][row]),
            prompt=_text(p.prompt), chosen=_text(p.responses[better]), rejected=_text(p.responses[worse]),
        ))  # fmt: skip
    return out


def _text(turns: Sequence[Any]) -> str:
    """Turns as a person reads them; the role stands before each when there are several."""
    if len(turns) == 1:
        return str(turns[0].text)
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)
