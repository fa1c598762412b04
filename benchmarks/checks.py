"""What the checks before any model find in real files, and our annotator models beside crowd-kit's.

    PLAUDIT_DATA=... python benchmarks/checks.py        needs crowd-kit 1.4.2 for the second table

Judgements are those of PandaLM's three annotators and of OpenAI's TL;DR workers. Dawid & Skene runs the same number of
steps in both libraries; the noisy Bradley-Terry models are compared by crowd-kit's own likelihood.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import data_folder, write
from plaudit import catalog
from plaudit.data.checks import _contract as contract
from plaudit.data.checks import _judgements as judgements
from plaudit.data.outline import outline
from plaudit.data.read import read
from plaudit.records import Preference
from plaudit.signals.annotators import _data, dawid_skene, noisy_bradley_terry

ROOM = "plaudit.data.checks"
SETS = {
    "HH helpful": ["hh/helpful-base/train.jsonl.gz"], "HH harmless": ["hh/harmless-base/train.jsonl.gz"],
    "HH both": ["hh/helpful-base/train.jsonl.gz", "hh/harmless-base/train.jsonl.gz"],
    "HH relabelled": ["hh_relabelled/train.jsonl.gz"], "TL;DR": ["tldr/train.parquet"],
    "TL;DR workers": ["tldr_workers/comparisons.parquet"], "PandaLM": ["pandalm/testset-v1.json.gz"],
    "UltraFeedback": ["ultrafeedback_binarized/train.jsonl.gz"], "WebGPT": ["webgpt/train.json.gz"],
    "FineGrained QA": ["finegrained_qa/dev_feedback.json.gz"],
}  # fmt: skip
COUNTS = {
    "exact_duplicates": "repeats", "near_duplicates": "preferences", "contradictions": "pairs",
    "disagreements": "disagree", "cycles": "circular_triples",
}  # fmt: skip
WORKERS = {"PandaLM": "pandalm/testset-v1.json.gz", "TL;DR workers": "tldr_workers/comparisons.parquet"}
STEPS = 40


def findings(paths: list[Path]) -> list[Any]:
    """One row of the table: preferences, counts, the longer one's share, the most opposed parts."""
    rows = list(read([str(p) for p in paths]))
    preferences = [r for row in rows for r in row.records if isinstance(r, Preference)]
    given = {"outline": outline(rows), "preferences": preferences}
    out: list[Any] = [len(preferences)]
    for name, key in COUNTS.items():
        part = catalog.load(ROOM, name)
        out.append(part.check(**{c: given[c] for c in contract.columns(part)}).value.get(key, "-"))
    skews = catalog.load(ROOM, "skews").check(given["outline"]).value
    opposite = [f"{o['low']['share']:.3f} {o['low']['part']}, {o['high']['share']:.3f} {o['high']['part']}"
                for o in skews["opposite"] if o["what"] == "longer"]  # fmt: skip
    share = skews["longer"]
    return [*out, f"{share['share']:.3f} ({share['low']:.3f} to {share['high']:.3f})", "; ".join(opposite) or "-"]


def judged(path: Path) -> judgements.Judgements:
    """Every judgement of a file, an annotator's repeats once."""
    found = [r for row in read([str(path)]) for r in row.records if isinstance(r, Preference)]
    return judgements.once(judgements.of_preferences(found)[0])


def skills_beside(name: str, table: judgements.Judgements) -> Iterator[list[Any]]:
    """Largest difference of a posterior between the two Dawid & Skene."""
    import pandas
    from crowdkit.aggregation import DawidSkene, OneCoinDawidSkene

    label = np.where(table.low_won < 0, 2, table.low_won).astype(np.int64)
    frame = pandas.DataFrame({"task": table.item, "worker": table.annotator, "label": label})
    for what, model in (("one coin", OneCoinDawidSkene), ("full matrices", DawidSkene)):
        theirs = model(n_iter=STEPS, tol=-1e9).fit(frame).probas_.sort_index()
        ours = dawid_skene(table.item, table.annotator, label, int(label.max()) + 1, one_coin=what == "one coin",
                           steps=STEPS, tolerance=-1)  # fmt: skip
        gap = np.abs(theirs[sorted(theirs.columns)].to_numpy() - ours.truth).max()
        yield [name, f"Dawid & Skene, {what}", "largest difference of a posterior", f"{gap:.0e}", ""]


def scores_beside(name: str, table: judgements.Judgements) -> Iterator[list[Any]]:
    """Log likelihood of both noisy Bradley-Terry fits, and how many pairs they put in the same order."""
    import pandas
    from crowdkit.aggregation import NoisyBradleyTerry

    table = table.only(table.low_won >= 0)
    nodes, place = np.unique(np.concatenate([table.first_node, table.second_node]), return_inverse=True)
    left, right = place[: len(table)], place[len(table) :]
    won = (table.low_won == 1) == table.low_first
    people, who = np.unique(table.annotator, return_inverse=True)
    frame = pandas.DataFrame({"worker": who, "left": left, "right": right, "label": np.where(won, left, right)})
    theirs = NoisyBradleyTerry(n_iter=1000, tol=1e-9).fit(frame)
    odds = [np.clip(c.sort_index(), 1e-9, 1 - 1e-9) for c in (theirs.scores_, theirs.biases_, theirs.skills_)]
    x = np.concatenate([np.log(p / (1 - p)) for p in odds])
    value = _data(x, left, right, np.where(won, 1.0, -1.0), who, len(nodes), len(people))[0]
    ours = noisy_bradley_terry(left, right, won, who, ridge=1e-5, steps=2000)
    same = (x[left] > x[right]) == (ours.scores[left] > ours.scores[right])
    sure = np.abs(ours.scores[left] - ours.scores[right]) > 1
    model = "noisy Bradley-Terry"
    yield [name, model, "log likelihood", f"{ours.log_likelihood:.0f}", f"{value:.0f}"]
    yield [name, model, "pairs in the same order", f"{same.mean():.3f}", f"{same[sure].mean():.3f} of the clear ones"]


def main() -> None:
    """Both tables."""
    warnings.simplefilter("ignore")
    folder = data_folder()
    rows = [[name, *findings([folder / p for p in paths])] for name, paths in SETS.items()]
    beside = []
    for name, path in WORKERS.items():
        table = judged(folder / path)
        beside += [*skills_beside(name, table), *scores_beside(name, table)]
    write("checks", {
        "title": "Checks before any model",
        "question": "What do the checks find in real files, and are the annotator models right?",
        "what": "every check with its defaults; beside crowd-kit 1.4.2 the same judgements, priors and steps. Full "
        "matrices differ where a worker never gave a label: crowd-kit has no row for it, plaudit a count of 1e-10. "
        "crowd-kit's noisy Bradley-Terry keeps one judgement of each worker in its gradient and stops early.",
        "bars": [],
        "tables": [
            {"title": "what was found", "columns": ["set", "preferences", "exact repeats", "near copies",
             "contradictions", "disagreements", "circular triples", "longer wins", "opposite parts"], "rows": rows},
            {"title": "annotator models beside crowd-kit",
             "columns": ["judgements", "model", "quantity", "plaudit", "crowd-kit"], "rows": beside},
        ],
    })  # fmt: skip


if __name__ == "__main__":
    main()
