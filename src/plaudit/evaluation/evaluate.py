"""What a scorer is worth: accuracy with intervals over prompt groups, always beside random and length-only."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from plaudit import folders
from plaudit.data.columns import renames
from plaudit.data.limits import Limits
from plaudit.data.options import given
from plaudit.data.read import read
from plaudit.data.split import group_digest
from plaudit.data.told import told
from plaudit.errors import OptionError, PlauditError
from plaudit.evaluation import scores as score_files
from plaudit.evaluation.breakdown import breakdown
from plaudit.evaluation.estimate import estimate, of_preferences
from plaudit.evaluation.intake import Intake
from plaudit.evaluation.options import EvaluateOptions
from plaudit.evaluation.suites import _grade
from plaudit.evaluation.trained import Trained
from plaudit.evaluation.units import Gathered, Rated, file_of, gather, outcomes_of
from plaudit.folders import refuse_unwritable
from plaudit.metrics.agreement import spearman, spearman_interval
from plaudit.metrics.outcomes import Result, result
from plaudit.records import Preference
from plaudit.report.terminal import as_json, progress
from plaudit.rewards import length
from plaudit.rewards.cached import Cached
from plaudit.rewards.load import Handle, load
from plaudit.rewards.stream import scored, watched
from plaudit.scorer import Scorer

ALL = "all files"  # the line over several


@dataclass(frozen=True)
class Evaluation:
    """Results, each with its company, and what was read, left out, cut or seen before.

    `rejects` and `cut` hold the first hundred; `counts` has their numbers.
    `seen`: prompt groups and rows that the scorer was trained on, in all and under `files` by file (or suite); None
    when it does not say.
    """

    scorer: str
    fingerprint: str
    results: list[Result]
    breakdown: list[dict[str, Any]]
    counts: dict[str, int]
    rejects: list[dict[str, str]]
    cut: list[str]
    seen: dict[str, Any] | None = None
    suites: dict[str, dict[str, Any]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON document that others build on (`results.json`)."""
        return self.__dict__ | {"results": [r.as_dict() for r in self.results]}


def evaluate(
    scorer: str | PathLike | Scorer | None,
    files: str | PathLike | Sequence[str | PathLike] | Iterable[Preference] = (),
    **options: Any,
) -> Evaluation:
    """Evaluate a scorer on preference files, preferences in memory, or suites (`suite="rmb", suite_data=...`).

    `options` are the fields of `EvaluateOptions`. With `scores=FILE` stored scores are graded and `scorer` is None.

    >>> from plaudit.records import pair
    >>> found = evaluate("length", [pair(f"{i}?", "four", "5") for i in range(30)])
    >>> found.results[0].score, found.results[0].length_only, found.results[0].random
    (1.0, 1.0, 0.5)
    """
    try:
        asked = EvaluateOptions(**options)
    except ValidationError as error:
        raise OptionError([f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]) from error
    return run(scorer, files, asked)


def run(scorer: Any, files: Any, asked: EvaluateOptions) -> Evaluation:
    """`evaluate` with its options already typed."""
    inputs = [files] if isinstance(files, str | PathLike) else list(files)
    suites = [name.strip() for name in asked.suite.split(",") if name.strip()]
    _refuse_contradictions(scorer, inputs, suites, asked)
    handle = None if asked.scores else _handle(scorer, asked)
    with _published(asked.output_dir) as out:
        if suites:
            found = _on_suites(handle, suites, asked, out)
        else:
            found = _on_files(handle, inputs, asked, out)
        if out:
            out.document(found.document())
    return found


_RUNNING = {
    "dtype", "device", "batch_tokens", "max_length", "cache", "combine", "trust_remote_code", "allow_pickles",
}  # fmt: skip
_READING = {"layout", "columns", "line_bytes", "group_by"}


def _refuse_contradictions(scorer: Any, inputs: list, suites: list[str], asked: EvaluateOptions) -> None:
    mistakes = []
    if bool(inputs) == bool(suites):
        alone = not inputs and isinstance(scorer, str) and Path(scorer).is_file()
        taken = f"; {scorer} was taken for the scorer, which comes first" if alone else ""
        mistakes.append(f"name either files or --suite, one of the two{taken}")
    if asked.scores and scorer is not None:
        mistakes.append("--scores takes the place of the scorer, name one of the two")
    if not asked.scores and scorer is None:
        mistakes.append("name a scorer, or stored scores with --scores")
    if suites and not asked.suite_data and not asked.scores:
        mistakes.append("--suite needs --suite-data, the folder that holds the suite's data")
    if asked.scores and len(suites) > 1:
        mistakes.append("--scores grades one suite at a time")
    if not asked.scores and asked.missing != "error":
        mistakes.append("--missing is about stored scores: name them with --scores")
    for name in given(asked):
        flag = "--" + name.replace("_", "-")
        if asked.scores and name in _RUNNING:
            mistakes.append(f"{flag} does nothing with --scores: no scorer runs")
        elif suites and name in _READING:
            mistakes.append(f"{flag} is about files: a suite has its own layout and groups")
    if asked.suite_data and not suites:
        mistakes.append("--suite-data is about --suite, which is not named")
    if asked.output_dir and Path(asked.output_dir).exists():
        mistakes.append(f"{asked.output_dir} exists already")
    elif asked.output_dir:
        refuse_unwritable(Path(asked.output_dir))
    if mistakes:
        raise OptionError(mistakes, advice="as in `plaudit evaluate SCORER FILE...` or `--suite rmb --suite-data DIR`")


def dry_run(scorer: Any, files: Sequence, asked: EvaluateOptions) -> dict[str, Any]:
    """What the evaluation would read, compute and take; nothing is written."""
    suites = [name.strip() for name in asked.suite.split(",") if name.strip()]
    _refuse_contradictions(scorer, list(files), suites, asked)
    if asked.scores:
        raise OptionError(["--dry-run is about running a scorer; stored scores are graded at once"])
    handle = _handle(scorer, asked)
    if not suites:
        return estimate(handle, list(files), **_reading(asked))
    items = [p for name in suites for p in _grade.scorable(name, asked.suite_data or Path())]
    return {"counts": {"preferences": len(items)}, "rejects": []} | of_preferences(handle, items)


def _handle(scorer: Any, asked: EvaluateOptions) -> Handle:
    return load(
        scorer, dtype=asked.dtype, device=asked.device, budget=asked.batch_tokens, max_length=asked.max_length,
        seed=asked.seed, combine=asked.combine, **asked.trust(),
    )  # fmt: skip


def _reading(asked: EvaluateOptions) -> dict[str, Any]:
    limits = Limits(line_bytes=asked.line_bytes)
    return {"layout": asked.layout, "columns": renames(asked.columns), "limits": limits}


# Files


def _on_files(handle: Handle | None, inputs: list, asked: EvaluateOptions, out: "_Folder | None") -> Evaluation:
    intake = Intake()
    preferences: Iterable[Preference]
    if inputs and isinstance(inputs[0], Preference):
        preferences = inputs
    else:
        preferences = intake.preferences_of(told(read(inputs, **_reading(asked)), asked.layout))
    source: Any = handle
    if asked.scores:
        source = score_files.read_scores(asked.scores, missing=asked.missing)
    elif handle and asked.cache:
        source = Cached(handle, asked.cache)
    trained = Trained.of(handle)
    with progress("scoring", None) as bar, watched(source, bar.early):
        unknown = source.made_up if asked.scores else set()
        stream = _passed(
            scored(source, preferences, leave=intake.leave, shorten=intake.shorten), bar, trained, out, unknown
        )
        gathered = gather(stream, _length_of, lambda p: group_digest(p, asked.group_by))
    if not gathered.files:
        intake.refuse_nothing()
    counts = intake.counts() | gathered.counts()
    if asked.scores:
        counts["without_score"] = source.absent
    results = _results(gathered, asked)
    if not results:
        raise PlauditError("nothing to judge by: no row has a label that decides", advice=_why(counts))
    return Evaluation(
        handle.name if handle else source.name, handle.fingerprint if handle else "", results,
        breakdown(gathered.units, asked.ties, seed=asked.seed), counts, intake.rejects, intake.shortened,
        trained.counts(),
    )  # fmt: skip


def _why(counts: dict[str, int]) -> str:
    kinds = ("labelled_ties", "unjudged", "steps", "rejected")
    return ", ".join(f"{counts[k]} {k.replace('_', ' ')}" for k in kinds if counts.get(k))


def _length_of(preference: Preference) -> NDArray:
    return length.scorer().score_all([preference])[0]


def _passed(
    stream: Iterable[tuple[Preference, NDArray]], bar: Any, trained: "Trained", out: "_Folder | None", unknown: set[str]
) -> Iterator[tuple[Preference, NDArray]]:
    """The stream, looked at as it goes by; preferences whose ids are `unknown` have no scores that could be kept."""
    for preference, values in stream:
        bar.advance(1)
        trained.look(preference, file_of(preference))
        if out and preference.id not in unknown:
            out.keep(preference, values)
        yield preference, values


def _results(found: Gathered, asked: EvaluateOptions) -> list[Result]:
    """One line per file and kind; all files together when there are several."""
    lines = []
    names = list(found.files)
    for name in [*names, ALL] if len(names) > 1 else names:
        mine = [u for u in found.units if name in (u.file, ALL)]
        for kind in dict.fromkeys(u.kind for u in mine):
            own, longest = outcomes_of([u for u in mine if u.kind == kind], asked.ties)
            lines.append(result(name, kind, own, longest, seed=asked.seed))
        rated = [r for r in found.rated if name in (r.file, ALL)]
        for attribute in dict.fromkeys(r.attribute for r in rated):
            lines.append(_correlation(name, attribute, [r for r in rated if r.attribute == attribute], asked.seed))
    return lines


def _correlation(name: str, attribute: str, rows: list[Rated], seed: int) -> Result:
    """Spearman's correlation of scores with ratings that nobody turned into ranks; random would have 0."""
    values = np.array([[r.score, r.rating, r.length] for r in rows])
    groups = np.array([r.group for r in rows], dtype=np.uint64)
    low, high, how = spearman_interval(values[:, 0], values[:, 1], groups, seed=seed)
    tied = 1 - len(np.unique(values[:, 0])) / len(rows)
    own, longest = spearman(values[:, 0], values[:, 1]), spearman(values[:, 2], values[:, 1])
    kind = f"spearman, {attribute}"
    return Result(name, kind, len(rows), len(np.unique(groups)), own, low, high, tied, 0.0, longest, None, how)


# Suites


def _on_suites(handle: Handle | None, names: list[str], asked: EvaluateOptions, out: "_Folder | None") -> Evaluation:
    results, details = [], {}
    trained = Trained.of(handle)
    source: Any = Cached(handle, asked.cache) if handle and asked.cache else handle
    for name in names:
        with progress(f"scoring {name}", None) as bar, watched(source, bar.early):

            def watch(item: Preference, values: NDArray, bar=bar, name=name) -> None:
                bar.advance(1)
                trained.look(item, name)
                if out:
                    out.keep(item, values)

            if asked.scores:
                rows = score_files.rows(asked.scores)
                graded = _grade.by_file(
                    name, rows, asked.suite_data, missing=asked.missing, seed=asked.seed, watch=watch
                )
            else:
                graded = _grade.by_scorer(name, source, asked.suite_data or Path(), seed=asked.seed, watch=watch)
        results += graded.results
        details[name] = graded.detail
    rows_graded = sum(d["rows"] for d in details.values())
    called = handle.name if handle else str(asked.scores)
    print_ = handle.fingerprint if handle else ""
    counts = {"rows": rows_graded}
    if asked.scores:
        counts["without_score"] = sum(d["without_score"] for d in details.values())
    return Evaluation(called, print_, results, [], counts, [], [], trained.counts(), details)


# The published folder


class _Folder:
    """results.json and scores.jsonl, as they are filled."""

    def __init__(self, folder: Path, lines: BinaryIO) -> None:
        self.folder, self.lines = folder, lines

    def keep(self, preference: Preference, values: NDArray) -> None:
        self.lines.write(score_files.line(preference, values))

    def document(self, values: dict[str, Any]) -> None:
        (self.folder / "results.json").write_text(as_json(values), encoding="utf-8")


@contextmanager
def _published(target: Path | None) -> Iterator[_Folder | None]:
    if target is None:
        yield None
        return
    with folders.publish(target) as part, open(part / "scores.jsonl", "wb") as lines:
        yield _Folder(part, lines)
