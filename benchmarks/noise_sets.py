"""The preference sets of the noise experiments: comparisons, prompt groups, and features of every response.

Features are cached in a folder, keyed by the model and the texts; a set is read once for all experiments.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import data_folder
from plaudit.auditing.crew import crew, layers_of
from plaudit.data.read import read
from plaudit.data.split import groups_of
from plaudit.models.features import Features, Pool, features
from plaudit.models.forward import blocks
from plaudit.models.members import LENGTH, Member, View, view_matrix
from plaudit.models.tokens import encode
from plaudit.records import Preference
from plaudit.seeds import generator
from plaudit.training.bags import Pairs

POOLS: tuple[Pool, ...] = ("read", "mean")
BOUND = 512  # tokens of the longest prompt with response


@dataclass
class Case:
    """One set: `first` and `second` rows of the responses in random order, `label` +1 when the first is better.

    The random order keeps every method from reading the label off the position. `matrix(view)` gives features [N, H].
    """

    name: str
    views: list[View]
    members: list[Member]
    matrix: Callable[[int], NDArray[np.float32]]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    label: NDArray[np.int64]
    group: NDArray[np.uint64]
    chars: NDArray[np.int64]
    given: dict[str, NDArray[np.bool_]]  # flips that the data brings itself, by name
    preferences: Sequence[Preference] = ()  # whole, two responses each: row r of a view belongs to number r // 2
    gold: NDArray[np.float64] | None = None  # a world: gold reward of `first` less that of `second` [P]

    def __len__(self) -> int:
        return len(self.label)

    def pairs(self, label: NDArray[np.int64], weight: NDArray | None = None, target: NDArray | None = None) -> Pairs:
        """The comparisons under these labels [P] of +1 and -1."""
        up = label > 0
        better, worse = np.where(up, self.first, self.second), np.where(up, self.second, self.first)
        one = np.ones(len(label))
        return Pairs(better, worse, one if target is None else target, one if weight is None else weight, self.group)

    def rows(self, keep: NDArray) -> "Case":
        """The same with some of its comparisons only; features stay whole."""
        given = {name: flips[keep] for name, flips in self.given.items()}
        gold = None if self.gold is None else self.gold[keep]
        return Case(self.name, self.views, self.members, self.matrix, self.first[keep], self.second[keep],
                    self.label[keep], self.group[keep], self.chars, given, self.preferences, gold)  # fmt: skip


def flips(case: Case, rate: float, seed: int, kind: str = "uniform") -> NDArray[np.bool_]:
    """Which labels are turned round [P]: `uniform`, or `length`: likelier where the better response is the shorter."""
    luck = generator(seed, "benchmark flips").random(len(case))
    return luck < flip_chance(case, rate, kind, case.label)


def flip_chance(case: Case, rate: float, kind: str, clean: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance of each row to be turned round if `clean` [P] were its clean label; `rate` is the mean over the set."""
    if kind == "uniform":
        return np.full(len(case), rate)
    apart = (case.chars[case.second] - case.chars[case.first]).astype(float)
    steep = 1 / (1 + np.exp(-1.5 * np.stack([clean, case.label]) * apart / (np.sqrt((apart**2).mean()) or 1)))
    return np.clip(rate * steep[0] / steep[1].mean(), 0, 0.95)


def case_of(name: str, preferences: Sequence[Preference], trunks: Sequence[str], store: Path, *, seed: int = 0,
            given: dict | None = None, layers: str = "") -> Case:  # fmt: skip
    """A set of pairs read with these trunks; pairs only, ties left out."""
    kept = [p for p in preferences if len(p.responses) == 2 and p.ranks and not p.is_tie]
    assert len(kept) == len(preferences), f"{name}: {len(preferences) - len(kept)} rows are not strict pairs"
    fits = np.array([all(_fits(t, p) for t in trunks) for p in kept], bool)
    if not fits.all():
        print(
            f"{name}: {int((~fits).sum())} of {len(kept)} rows do not fit {BOUND} tokens and are left out", flush=True
        )
        kept = [p for p, fit in zip(kept, fits, strict=True) if fit]
        given = {level: flips[fits] for level, flips in (given or {}).items()}
    read_: list[Features] = []
    depth: list[tuple[int, ...]] = []
    for trunk in trunks:
        model = trunk_of(trunk)
        depth.append(layers_of(layers, len(blocks(model.loaded.model))))
        read_.append(features(model, kept, store, layers=depth[-1], pools=POOLS, store="float16"))
    views, members = crew(depth, POOLS, count=10, seed=seed)
    best = np.array([p.comparisons()[0][0] for p in kept])
    turned = generator(0, "benchmark sides").random(len(kept)) < 0.5
    first = 2 * np.arange(len(kept)) + np.where(turned, 1 - best, best)
    second = 2 * np.arange(len(kept)) + np.where(turned, best, 1 - best)
    chars = np.array([len(r[-1].text) for p in kept for r in p.responses])
    return Case(name, views, members, lambda v: view_matrix(views[v], read_, kept), first, second,
                np.where(turned, -1, 1), groups_of(kept), chars, given or {}, kept)  # fmt: skip


def _fits(trunk: str, preference: Preference) -> bool:
    return not encode(preference, trunk_of(trunk).loaded.policy).refused


@cache
def trunk_of(name: str):
    from plaudit.models.committee import load_trunk

    return load_trunk(name, max_length=BOUND)


def vector(n: int, seed: int, preset: str = "vector-v1", members: int = 10) -> Case:
    """The vector world: one view, its 64 features; `chars` is its last feature, which plays length."""
    from plaudit.data.worlds import make

    world = make(preset, n=n, seed=seed)
    x = world.features.reshape(2 * n, -1)
    label = np.array([1 if p.ranks == (0, 1) else -1 for p in world.preferences])
    crew_ = [Member(0, "linear", k) for k in range(members)]
    even = 2 * np.arange(n)
    return Case(preset, [View(0)], crew_, lambda v: x, even, even + 1, label, np.arange(n).astype(np.uint64),
                (1000 * x[:, -1]).astype(np.int64), {}, world.preferences,
                world.truth.gold[:, 0] - world.truth.gold[:, 1])  # fmt: skip


def files(*names: str) -> list[Preference]:
    """The strict pairs of some real files."""
    paths = [str(data_folder() / name) for name in names]
    return [p for row in read(paths) for p in row.records
            if isinstance(p, Preference) and len(p.responses) == 2 and p.ranks and not p.is_tie]  # fmt: skip


def world(preset: str, n: int, seed: int) -> list[Preference]:
    """A text world's preferences."""
    from plaudit.data.worlds import make

    return list(make(preset, n=n, seed=seed).preferences)


def text_world(n: int, seed: int, trunks: Sequence[str], store: Path, preset: str = "text-v1") -> Case:
    """A text world with clean hard labels and its gold rewards."""
    from plaudit.data.worlds import make

    world = make(preset, n=n, seed=seed)
    case = case_of("text world", world.preferences, trunks, store)
    gold = {p.id: own for p, own in zip(world.preferences, world.truth.gold, strict=True)}
    both = np.concatenate([gold[p.id] for p in case.preferences])  # [N], rows as in the views
    case.gold = both[case.first] - both[case.second]
    return case


def helpful_first(count: int, trunks: Sequence[str], store: Path) -> Case:
    """The first pairs of HH helpful that fit every trunk: where reading all of them is too dear."""
    rows = files("hh/helpful-base/train.jsonl.gz", "hh/helpful-base/test.jsonl.gz")
    kept = [p for p in rows if all(_fits(t, p) for t in trunks)]
    return case_of(f"hh-helpful first {count}", kept[:count], trunks, store)


def rmb(count: int) -> list[Preference]:
    """RMB's pairs, a sample of `count` whole prompts by digest, the smallest first."""
    found = []
    for path in sorted((data_folder() / "suites/rmb").rglob("Pairwise_set/**/*.json*")):
        found += [p for row in read([str(path)]) for p in row.records if isinstance(p, Preference)]
    strict = [p for p in found if len(p.responses) == 2 and p.ranks and not p.is_tie]
    groups = groups_of(strict)
    chosen = set(np.unique(groups)[:count].tolist())
    return [p for p, g in zip(strict, groups, strict=True) if int(g) in chosen]


def overlay() -> tuple[list[Preference], dict[str, NDArray[np.bool_]]]:
    """UltraFeedback's clean training pairs, and the flips that a noise study planted in them at its three levels."""
    rows = list(read([str(data_folder() / "ultrafeedback_binarized/train.jsonl.gz")]))
    kept, number = [], []
    for at, row in enumerate(rows):
        for p in row.records:
            if isinstance(p, Preference) and p.ranks and not p.is_tie:
                kept.append(p)
                number.append(at)
    given = {}
    path = data_folder() / "ultrafeedback_binarized/label_flip_overlay.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as f:
        marks = [json.loads(line) for line in f]
    for level in sorted({m["level"] for m in marks}):
        turned = {m["row"] for m in marks if m["level"] == level}
        given[str(level)] = np.array([n in turned for n in number])
    return kept, given


SETS: dict[str, Callable[[Path, Sequence[str]], Case]] = {
    "text world": lambda store, t: text_world(4000, 11, t, store),
    "text world, fresh": lambda store, t: text_world(4000, 12, t, store),
    "hh-helpful": lambda store, t: case_of(
        "hh-helpful", files("hh/helpful-base/train.jsonl.gz", "hh/helpful-base/test.jsonl.gz"), t, store
    ),
    "hh-harmless": lambda store, t: case_of(
        "hh-harmless", files("hh/harmless-base/train.jsonl.gz", "hh/harmless-base/test.jsonl.gz"), t, store
    ),
    "tldr": lambda store, t: case_of("tldr", files("tldr/train.parquet"), t, store),
    "rmb sample": lambda store, t: case_of("rmb sample", rmb(300), t, store),
    "ultrafeedback overlay": lambda store, t: case_of(
        "ultrafeedback overlay", overlay()[0], t, store, given=overlay()[1]
    ),
}

__all__ = ["LENGTH", "SETS", "Case", "case_of", "flips", "vector"]
