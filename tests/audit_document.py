"""An audit in small, every field of which can be filled with a text of the test's choice."""

import numpy as np

from plaudit.report.pages.audit import Shown

VERDICTS = ("wrong", "ambiguous", "normal", "strong")


def signals(rows=60, seed=0):
    draw = np.random.default_rng(seed)
    margins = draw.normal(0.6, 1.2, rows)[:, None] + draw.normal(0, 0.6, (rows, 3))
    mean, std = margins.mean(1), margins.std(1)
    p = 1 / (1 + np.exp(1.5 * mean))
    which = np.select([p >= 0.65, p >= 0.4, p > 0.15], [0, 1, 2], 3)
    return {"mean": mean, "std": std, "p_disagree": p, "verdict": np.array(VERDICTS)[which]}


def voice(n, verdict):
    counts = {name: int((verdict == name).sum()) for name in VERDICTS}
    return {"n": n, "accuracy": 0.7, "p_disagree": 0.3, "longer": 0.6, **counts}


def influence(text=str):
    """What --fair-by adds."""
    group = {"n": 30, "loss": 0.7, "loss_after": 0.6, "accuracy": 0.5, "accuracy_after": 0.6}
    ahead = {"score": 0.01, "low": -0.02, "high": 0.04}
    offer = {"lightest": 0.5, "heaviest": 1.5, "loss_gap": 0.1, "accuracy_gap": 0.2,
             "loss_gap_change": {"low": -0.03, "high": 0.01},
             "accuracy": {"score": 0.7, "low": 0.6, "high": 0.8}, "ahead": ahead}  # fmt: skip
    return {
        "head": text("a linear head on tiny, layer 2, read"), "harmful": 0.4, "agreement": 0.8,
        "worst": [text("id 3"), text("id 1")], "top": {"n": 3, "shared": 2, "by_chance": 0.15},
        "fair": {"by": text("tag:topic"), "penalty": 1.0, "fewest": 20, "folds": 5, "unnamed": 4,
                 "left_out": {text("birds"): 5}, "groups": {text("cats"): group, text("dogs"): group},
                 "offers": [{"penalty": penalty, **offer} for penalty in (None, 10.0, 1.0, 0.1)]},
    }  # fmt: skip


def document(columns, text=str, *, noise=True, folds=5):
    """audit.json; `text` makes the text of every field out of a harmless one."""
    verdict, rows = columns["verdict"], len(columns["mean"])
    decile = {"n": 6, "low": -1.0, "high": 1.0, "mean": 0.1, "std": 0.5, "p_disagree": 0.5, "vote_share": 0.6}
    rate = {"rate": 0.2, "low": 0.1, "high": 0.3, "n": 30, "identified": False}
    value = {
        text("share"): 0.61, text("name"): text("value"), text("listed"): [text("a"), text("b")],
        text("by"): {text("x"): {text("k"): 1}, text("y"): {text("k"): 2}},
        text("rows"): [{text("k"): 1}, {text("k"): 2}],
        text("one"): {text("k"): text("v")}, text("deep"): [[1, [text("z")]]],
    }  # fmt: skip
    check = {"text": text("said"), "value": value, "count": 40, "ids": [text("i1"), text("i2")], "advice": text("do")}
    return {
        "rows": {"read": 70, "rejected": 3, "preferences": 67, "audited": 60, "comparisons": rows, "ties": 2,
                 "groups": 50, "left_out": 7},
        "members": [{"name": text(f"member {k}"), "accuracy": 0.6 + k / 100} for k in range(3)],
        "folds": folds, "verdicts": {name: int((verdict == name).sum()) for name in VERDICTS},
        "deciles": [{"decile": d, "longer": 0.5, **decile} for d in range(1, 11)],
        "data_checks": {text(f"check {s}"): {"status": s, **check} for s in ("ok", "warn", "note", "skip")},
        "noise": {"model": "group", "by": text("tag:topic"), "identified": False, "slope": 1.0,
                  "rates": {text("all"): rate}} if noise
        else {"model": None, "text": text("none")},
        "thresholds": {"wrong": 0.65, "ambiguous": 0.4, "strong": 0.15}, "temperature": {"0": 1.2, "1": None},
        "accuracy": {"score": 0.7, "low": 0.62, "high": 0.78, "n": 58},
        "likeness": {"mean": 0.4, "members": [[1.0, 0.5, -0.2], [0.5, 1.0, 0.3], [-0.2, 0.3, 1.0]]},
        "sources": {text("one.jsonl"): voice(rows, verdict), text("two.jsonl"): voice(rows, verdict)},
        "annotators": {text("anna"): voice(rows, verdict), text(""): voice(rows, verdict)},
        "tags": {text("topic"): {"values": {text("cats"): voice(rows, verdict), text("dogs"): voice(rows, verdict)},
                                 "more": 3, "more_comparisons": 17}},
        "influence": influence(text), "options": {} if text is str else {"columns": text("prompt=q")},
        "voters": {"model": text("tiny"), "scorer": "", "in_sample": not folds, "dtype": "float32", "heads": "linear",
                   "seed": 0},
        "left_out": [{"where": text("one.jsonl:3"), "reason": text("no winner")}],
    }  # fmt: skip


def shown(text=str, n=20):
    """`n` pairs whose texts differ in a word."""
    facts = {"p_disagree": 0.81, "mean": -1.5, "std": 0.4, "vote_share": 0.1}
    return [
        Shown(
            text(f"id {i}"), text("one.jsonl:1"), text("anna"), text("wrong"), **facts, prompt=text(f"Which {i} is it"),
            chosen=text("It is the first of them"), rejected=text("It is the last of them"),
        )
        for i in range(n)
    ]  # fmt: skip
