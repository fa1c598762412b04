"""From comparisons to votes: one pass of every trunk, fifty heads, out of fold; kept in the cache by what went in."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit.auditing import cache
from plaudit.auditing.apart import FEWEST, MOST, PROMPTS, compared, learn_apart, parts_of
from plaudit.auditing.crew import crew, layers_of, pools_of
from plaudit.auditing.influence_fair import kinds_of
from plaudit.auditing.material import Docket
from plaudit.auditing.options import AuditOptions
from plaudit.data.split import folds
from plaudit.folders import is_sealed, publish
from plaudit.models.committee import Committee, TrunkSpec, load_trunk
from plaudit.models.features import Features, features
from plaudit.models.forward import blocks
from plaudit.models.members import Fitted, view_matrix
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import Encoded
from plaudit.records import digest
from plaudit.report.terminal import clean, note, progress
from plaudit.signals.votes import Votes
from plaudit.training.bags import Pairs
from plaudit.training.heads import fit

VERSION = 4  # raised whenever the same input could give other votes


@dataclass(frozen=True)
class Poll:
    """Votes of a committee, and `write`, which puts the committee itself into an existing folder.

    `apart`: what `apart.compared` said of learning every file by itself, and whether it was done; None: not tried.
    """

    votes: Votes
    write: Callable[[Path], None]
    apart: dict[str, Any] | None = None


def names_of(options: AuditOptions) -> list[str]:
    """The models named by `--model`."""
    return [name.strip() for name in options.model.split(",") if name.strip()]


def trunks_of(options: AuditOptions) -> list[ModelScorer]:
    """Those models, loaded."""
    return [
        load_trunk(
            name,
            dtype=options.dtype,
            budget=options.batch_tokens,
            max_length=options.max_length,
            device=options.device,
            **options.trust(),
        )
        for name in names_of(options)
    ]


def spec_of(trunk: ModelScorer, name: str, options: AuditOptions) -> TrunkSpec:
    """What is read of a trunk."""
    layers = layers_of(options.layers, len(blocks(trunk.loaded.model)))
    longest = trunk.loaded.policy.max_length
    return TrunkSpec(name, trunk.fingerprint, options.dtype, longest, layers, pools_of(options.pools))


def fold_of(docket: Docket, options: AuditOptions) -> NDArray[np.int64]:
    """The fold of every comparison [P]; -1 for all in-sample."""
    if options.in_sample:
        return np.full(len(docket.group), -1)
    return folds(docket.group, options.folds, options.seed)


def poll(
    docket: Docket, trunks: Sequence[ModelScorer], encoded: Sequence[Sequence[Encoded]], options: AuditOptions
) -> Poll:
    """Every member's vote on every comparison it never saw.

    `encoded`: the docket's preferences by each trunk's own rules.
    """
    specs = [spec_of(t, name, options) for t, name in zip(trunks, names_of(options), strict=True)]
    store = cache.folder_of(options.cache)
    fold = fold_of(docket, options)
    parts = _parts(docket, fold, options)
    place = store / "votes" / _key(docket, specs, fold, parts, options)
    if not is_sealed(place):
        read = features_of(docket, trunks, specs, encoded, store)
        margins, committee, told = _fit(docket, trunks, specs, read, fold, parts, options)
        with publish(place, replace=True) as part:
            np.save(part / "margins.npy", margins)
            (part / "facts.json").write_text(json.dumps({"members": committee.names, "apart": told}), encoding="utf-8")
            (part / "committee").mkdir()
            committee.save(part / "committee")
    cache.use(place)
    facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
    votes = Votes(np.load(place / "margins.npy"), fold, docket.label, tuple(facts["members"]))
    return Poll(votes, partial(_copy, place / "committee"), facts["apart"])


def _parts(docket: Docket, fold: NDArray[np.int64], options: AuditOptions) -> dict[str, NDArray[np.bool_]]:
    """The rows of every part that may be learned by itself, by name."""
    if options.apart == "none":
        return {}
    by = options.apart if options.apart.startswith("tag:") else "source"
    found = parts_of(kinds_of(docket.preferences, docket.comparisons, by), docket.group, fold)
    if not found and options.apart != "auto":
        note(f"--apart {clean(options.apart, 60)}: no two parts, or more than {MOST}, have {FEWEST} comparisons and "
             f"{PROMPTS} prompts each: all heads learn from all rows")  # fmt: skip
    return found


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def _key(
    docket: Docket, specs: Sequence[TrunkSpec], fold: NDArray, parts: Mapping[str, NDArray], options: AuditOptions
) -> str:
    """Digest of everything that the votes depend on."""
    c = docket.comparisons
    rows = np.stack([c.preference, c.better, c.worse, fold]).tobytes() + docket.label.tobytes() + docket.group.tobytes()
    how = (VERSION, options.members, options.heads, options.length_member, options.in_sample, options.seed)
    apart = [options.apart, *((name, own.tobytes().hex()) for name, own in parts.items())] if parts else []
    return digest(repr(specs), repr(how), *map(repr, apart), rows.hex(), *(p.content for p in docket.preferences))


def features_of(
    docket: Docket, trunks: Sequence[ModelScorer], specs: Sequence[TrunkSpec],
    encoded: Sequence[Sequence[Encoded]], store: Path,
) -> list[Features]:  # fmt: skip
    """Hidden states of every trunk, from the cache where they lie there."""
    read = []
    for trunk, spec, tokens in zip(trunks, specs, encoded, strict=True):
        with progress(f"reading with {Path(spec.model).name}", len(docket.preferences)) as bar:
            read.append(
                features(
                    trunk, docket.preferences, store / "features", layers=spec.layers, pools=spec.pools,
                    store="float16", encoded=tokens, advance=bar.advance,
                )
            )  # fmt: skip
    return read


def pairs_of(docket: Docket) -> Pairs:
    """The comparisons as heads learn from them."""
    return Pairs(docket.better, docket.worse, docket.label, docket.comparisons.weight, docket.group)


def _fit(
    docket: Docket, trunks, specs, read: Sequence[Features], fold: NDArray, parts: dict[str, NDArray],
    options: AuditOptions,
) -> tuple[NDArray[np.float64], Committee, dict[str, Any] | None]:  # fmt: skip
    """The votes, the committee, and how learning every part by itself compares where there are parts."""
    views, members = crew(
        [s.layers for s in specs], pools_of(options.pools), count=options.members, length=options.length_member,
        heads=options.heads, seed=options.seed,
    )  # fmt: skip
    pairs = pairs_of(docket)
    matrix = lambda v: view_matrix(views[v], read, docket.preferences)  # noqa: E731
    with progress("fitting heads", len(members)) as bar:
        margins, fitted = fit(matrix, pairs, fold, members, in_sample=options.in_sample, advance=bar.advance)
    found: list[Fitted] = fitted
    told = None
    if parts:
        alone, heads = learn_apart(matrix, pairs, fold, members, parts, margins)
        told = compared(margins, alone, pairs, parts)
        told |= {"by": options.apart, "done": options.apart != "auto" or told["low"] > 0}
        margins, found = (alone, heads) if told["done"] else (margins, found)
    whole = Committee(trunks, specs, views, found)
    center = whole.member_scores(read, docket.preferences).mean(1)
    return margins, Committee(trunks, specs, views, found, center=center), told
