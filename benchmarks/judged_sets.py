"""Sets in which more than one judge looked at the same responses: one judge's choices are labels, the others are fresh.

PandaLM has three annotators a row; some pairs of the TL;DR comparisons were judged by two or more workers; the HH rows
were judged again by a language model that was told to look for helpfulness or for harmlessness.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import data_folder
from noise_sets import SETS, Case, case_of, files
from plaudit.data.read import read
from plaudit.data.split import group_digest
from plaudit.records import Preference, group

TRUNKS = ("minilm-l6",)
ALL = "all"


@dataclass(frozen=True)
class Judged:
    """The labels of one judge, and what fresh judges said of the same rows.

    `case` holds the labels. Fresh verdict q [Q] is about row `row[q]`; `other[q]`: 1 it took the other side than the
    label, 0 the same, 1/2 neither. `behind` [P]: the labelled response is listed second. `parts`: verdicts that are
    counted together, bool [Q] by name. `weight` [P]: 0 where a row is not learned from; those rows are one fold.
    """

    case: Case
    row: NDArray[np.int64]
    other: NDArray[np.float64]
    behind: NDArray[np.bool_]
    parts: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    weight: NDArray[np.float64] | None = None


def listed(name: str, preferences: Sequence[Preference], store: Path) -> tuple[Case, NDArray[np.int64]]:
    """A set that says of every row that the response listed first is the better; and the numbers of the rows it kept.

    A judge's votes are laid over it: label * vote, with a vote of +1 for the response listed first and -1 otherwise.
    """
    placed = [replace(p, ranks=(0, 1)) for p in preferences]
    case = case_of(name, placed, TRUNKS, store, given={"row": np.arange(len(placed))})
    return case, case.given["row"]


def vote(preference: Preference) -> int:
    """+1: the response listed first is better, -1: the second, 0: a tie."""
    return 0 if preference.is_tie else 1 if preference.ranks == (0, 1) else -1


def labelled_by(judge: int, case: Case, votes: NDArray[np.int64]) -> Judged:
    """Labels of one judge, of whom ties are left out; the judges of the other columns of `votes` [P, J] are fresh."""
    keep = votes[:, judge] != 0
    own, others = votes[keep, judge], np.delete(votes, judge, 1)[keep]
    case = case.rows(keep)
    row = np.repeat(np.arange(len(own)), others.shape[1])
    other = ((1 - own[:, None] * others) / 2).ravel()
    return Judged(replace(case, label=case.label * own), row, other, own < 0, {ALL: np.ones(len(row), bool)})


def pandalm(store: Path) -> list[Judged]:
    """Each of the three annotators in turn is the label."""
    found = [row.records for row in read([str(data_folder() / "pandalm/testset-v1.json.gz")])]
    found = [records for records in found if len(records) == 3]
    case, kept = listed("pandalm", [records[0] for records in found], store)
    votes = np.array([[vote(p) for p in found[i]] for i in kept])
    turns = [labelled_by(judge, case, votes) for judge in range(3)]
    return [replace(t, parts={"ties left out": t.other != 0.5, "ties count half": t.parts[ALL]}) for t in turns]


def workers(store: Path) -> Judged:
    """Every judgement is a row; the other workers who saw the same two summaries are fresh.

    Posts and summaries are put into the form of the TL;DR pairs, of which subreddit and title are not known here.
    """
    found = [p for row in read([str(data_folder() / "tldr_workers/comparisons.parquet")]) for p in row.records]
    formed = [
        group(f"POST: {p.prompt[0].text}", [f"TL;DR: {r[0].text}" for r in p.responses], (0, 1), group=p.group, id=p.id)
        for p in found
    ]
    case, kept = listed("tldr workers", formed, store)
    found = [found[i] for i in kept]
    same = defaultdict(list)
    for at, p in enumerate(found):
        same[p.group, frozenset(r[0].text for r in p.responses)].append(at)
    pairs = [(i, j) for seen in same.values() for i in seen for j in seen if found[i].annotator != found[j].annotator]
    better = [p.responses[p.comparisons()[0][0]] for p in found]
    votes = np.array([vote(p) for p in found])
    other = np.array([float(better[i] != better[j]) for i, j in pairs])
    own = replace(case, label=case.label * votes)
    couples = {frozenset(seen[:2]) for seen in same.values()}  # a few pairs have dozens of judgements
    parts = {
        ALL: np.ones(len(pairs), bool),
        "two judgements a pair": np.array([frozenset(p) in couples for p in pairs]),
    }
    return Judged(own, np.array([i for i, _ in pairs]), other, votes < 0, parts)


def workers_by_other_posts(store: Path) -> Judged:
    """The same verdicts; the committee learns from the TL;DR pairs of posts that none of these workers saw."""
    own = workers(store)
    seen = {_start(p.prompt[0].text) for row in read([str(data_folder() / "tldr_workers/comparisons.parquet")])
            for p in row.records}  # fmt: skip
    shared = [group_digest(p) for p in files("tldr/train.parquet")
              if _start(p.prompt[0].text.partition(" POST: ")[2]) in seen]  # fmt: skip
    tldr = SETS["tldr"](store, TRUNKS)
    tldr = tldr.rows(~np.isin(tldr.group, np.array(shared, np.uint64)))
    weight = np.concatenate([np.zeros(len(own.case)), np.ones(len(tldr))])
    behind = np.concatenate([own.behind, np.zeros(len(tldr), bool)])
    return replace(own, case=joined(own.case, tldr), weight=weight, behind=behind)


def _start(post: str) -> str:
    return " ".join(post.split())[:150]


def joined(a: Case, b: Case) -> Case:
    """The rows of a, then those of b; both read with the same trunks."""
    end = lambda one, two: np.concatenate([one, two + len(a.chars)])  # noqa: E731
    return Case(f"{a.name} and {b.name}", a.views, a.members, lambda v: np.concatenate([a.matrix(v), b.matrix(v)]),
                end(a.first, b.first), end(a.second, b.second), np.concatenate([a.label, b.label]),
                np.concatenate([a.group, b.group]), np.concatenate([a.chars, b.chars]), {})  # fmt: skip


class Twice(NamedTuple):
    """One HH pair in the order it is listed, the human's vote and the model's, what the model was told to look for, and
    what the human was."""

    pair: Preference
    human: int
    model: int
    objective: str
    subset: str


def relabelled(*names: str) -> list[Twice]:
    """HH pairs judged again by a language model."""
    found = []
    for row in read([str(data_folder() / f"hh_relabelled/{name}.jsonl.gz") for name in names]):
        raw = json.loads(row.raw)
        for p in row.records:
            pair = replace(p, responses=p.responses if raw["label"] == 0 else p.responses[::-1])
            found.append(Twice(pair, 1 - 2 * raw["original_label"], 1 - 2 * raw["label"], raw["objective"],
                               raw["data_subset"]))  # fmt: skip
    return found


def hh(store: Path, judge: int, objective: str = "") -> list[Judged]:
    """HH pairs with the human's (judge 0) or the model's (judge 1) choice as the label, the other one fresh."""
    found = relabelled("train")
    case, kept = listed("hh relabelled", [t.pair for t in found], store)
    found = [found[i] for i in kept]
    keep = np.array([not objective or t.objective == objective for t in found])
    own = labelled_by(judge, case.rows(keep), np.array([(t.human, t.model) for t in found])[keep])
    same = np.array([t.objective == t.subset for t in found])[keep]
    return [own if objective else replace(own, parts={**own.parts, "one objective": same, "objectives differ": ~same})]


QUESTIONS: dict[str, Callable[[Path], list[Judged]]] = {
    "PandaLM, each annotator in turn": pandalm,
    "TL;DR workers": lambda store: [workers(store)],
    "TL;DR workers, committee of other posts": lambda store: [workers_by_other_posts(store)],
    "HH by humans, then a model": lambda store: hh(store, 0),
    "HH by humans, then a model for helpfulness": lambda store: hh(store, 0, "helpful"),
    "HH by humans, then a model for harmlessness": lambda store: hh(store, 0, "harmless"),
    "HH by a model, then humans": lambda store: hh(store, 1),
    "HH by a model for helpfulness, then humans": lambda store: hh(store, 1, "helpful"),
    "HH by a model for harmlessness, then humans": lambda store: hh(store, 1, "harmless"),
}
