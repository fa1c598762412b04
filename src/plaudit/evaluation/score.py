"""Score a file: streaming, one line per preference, resumable to the byte.

Scores grow in a hidden sibling `.F.part`; `.F.position` says how far they are good. A scorer always gets the same
preferences together (chunks are counted from the first row), so a resumed run writes the bytes of an uninterrupted one.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, cast

from numpy.typing import NDArray

from plaudit.data.opening import files_of
from plaudit.data.read import Row, read
from plaudit.data.rejects import keep_rejects
from plaudit.data.sinks import claim
from plaudit.data.told import told
from plaudit.errors import Interrupted, OptionError, PlauditError
from plaudit.evaluation.intake import SHOWN, Intake
from plaudit.evaluation.scores import line
from plaudit.folders import file_digest, write_file
from plaudit.records import Preference
from plaudit.report.terminal import Progress, progress
from plaudit.rewards.load import Handle
from plaudit.rewards.stream import CHUNK, Leave, Shorten, chunks, judged_chunk, place, scored_chunk, watched
from plaudit.scorer import Panel
from plaudit.signals.aggregate import Opinion

EVERY = 2.0  # seconds between two positions: a sync costs milliseconds, a lost chunk may cost minutes


@dataclass(frozen=True)
class Target:
    """Where scores go, and where they wait until they are whole."""

    path: Path

    @property
    def part(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def position(self) -> Path:
        return self.path.with_name(f".{self.path.name}.position")


def score(
    scorer: Handle,
    source: str | Path,
    output: str | Path,
    *,
    with_text: bool = False,
    members: bool = False,
    resume: bool = False,
    rejects: Path | None = None,
    chunk: int = CHUNK,
    **reading: Any,
) -> Intake:
    """Write the scores of every preference of `source` to `output`; `reading` goes to `plaudit.read`.

    `members`: of a committee, also its members' scores and their spread.

    Raises PlauditError when `output` exists, when an unfinished run waits there and `resume` is not said, or when it
    was another run: other data, scorer or options. Raises DataError that names the row whose score is NaN.
    """
    target, found = Target(Path(output)), Intake()
    if rejects is not None and Path(rejects).absolute() == target.path.absolute():
        raise OptionError([f"--rejects and --output are one file: {rejects}"])
    rows = told(read(source, **reading), reading.get("layout"))
    run = _identity(scorer, source, {"with_text": with_text, "members": members, "chunk": chunk}, reading)
    start = _start(target, run, resume)
    if start is None:  # killed between the last two system calls of a finished run
        for _ in found.preferences_of(rows):
            pass
        return found
    try:
        with progress("scoring", None) as bar, watched(scorer, bar.early):
            passing = _kept_aside(rejects, rows, target.part.exists())
            bar.advance(start["preferences"])
            preferences = islice(found.preferences_of(passing), start["preferences"], None)
            _write(scorer, preferences, target, start, found, bar)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {target.part} is kept", advice="the same command with --resume goes on"
        ) from None
    if found.preferences == found.not_scored:
        _tidy(target)
        found.refuse_nothing()
    _publish(target)
    return found


def refuse_taken(output: str | Path, *, resume: bool) -> None:
    """Refuse an output that is whole already, before a scorer is loaded.

    Raises:
        PlauditError: it exists, and no unfinished run waits beside it.
    """
    target = Target(Path(output))
    if target.path.exists() and not target.part.exists():
        _start(target, {}, resume)


def _kept_aside(rejects: Path | None, rows: Iterator[Row], unfinished: bool) -> Iterator[Row]:
    """The rows, the rejected ones also written to a file.

    `unfinished`: an earlier part of this run may have given the file its name, and then wrote the same.
    """
    if rejects is None:
        return rows
    rejects = Path(rejects)
    if rejects.exists() and not unfinished:
        raise PlauditError(f"{rejects} exists already", advice="name another file for --rejects")
    if not rejects.parent.is_dir():
        raise PlauditError(f"{rejects}: {rejects.parent} is no folder", advice="name another file for --rejects")
    return keep_rejects(rows, rejects)


def _identity(scorer: Handle, source: str | Path, writing: dict, reading: dict) -> dict[str, Any]:
    """What makes two runs the same run."""
    name = str(source)
    options = writing | {k: str(v) for k, v in sorted(reading.items())}
    digests = [name] if name.startswith("hub:") else [file_digest(Path(f)) for f in files_of(name)]
    return {"scorer": scorer.fingerprint or scorer.name, "data": digests, "options": options}


def _start(target: Target, run: dict[str, Any], resume: bool) -> dict[str, Any] | None:
    """The position to go on from; None when everything is there already."""
    path, part = target.path, target.part
    if path.exists():
        if resume and part.exists() and os.path.samefile(path, part):
            _tidy(target)
            return None
        whole = " and is whole: nothing is left to resume" if resume and not part.exists() else ""
        raise PlauditError(f"{path} exists already{whole}", advice="name another --output, or remove it first")
    fresh = {"run": run, "preferences": 0, "bytes": 0, "not_scored": 0, "left_out": [], "cut": 0, "shortened": []}
    if not part.exists():
        return fresh
    if not resume:
        raise PlauditError(f"{part}: an unfinished run waits here", advice="go on with --resume, or remove it")
    try:
        kept = json.loads(target.position.read_bytes())
        good = kept["bytes"] <= part.stat().st_size and fresh.keys() == kept.keys()
    except (OSError, ValueError, KeyError, TypeError):
        return fresh  # killed before the first position was saved
    if kept["run"] != run:
        changed = [name for name in run if kept["run"].get(name) != run[name]]
        raise PlauditError(
            f"{part} belongs to another run: its {' and '.join(changed)} differ", advice="remove it to start again"
        )
    return kept if good else fresh


def _write(
    scorer: Handle, preferences: Iterator[Preference], target: Target, start: dict[str, Any], found: Intake,
    bar: Progress,
) -> None:  # fmt: skip
    """Append the scores of the preferences that are left, saving the position every now and then."""
    now, options, saved = dict(start), start["run"]["options"], monotonic()
    found.not_scored, found.rejects = now["not_scored"], list(now["left_out"])
    found.cut, found.shortened = now["cut"], list(now["shortened"])

    def save() -> None:
        out.flush()
        os.fsync(out.fileno())
        now.update(bytes=out.tell(), not_scored=found.not_scored, cut=found.cut, shortened=found.shortened)
        write_file(target.position, json.dumps(now).encode())

    def leave(preference: Preference, reason: str) -> None:
        found.leave(preference, reason)
        if len(now["left_out"]) < SHOWN:
            now["left_out"].append({"where": place(preference), "reason": reason})

    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        with open(target.part, "r+b" if target.part.exists() else "w+b") as out:
            out.truncate(start["bytes"])
            out.seek(start["bytes"])
            for some in chunks(preferences, options["chunk"]):
                for preference, scores, opinion in said(scorer, some, leave, found.shorten, members=options["members"]):
                    texts = scorer.texts(preference) if options["with_text"] else None
                    out.write(line(preference, scores, texts, opinion))
                now["preferences"] += len(some)
                bar.advance(len(some))
                if monotonic() - saved >= EVERY:
                    save()
                    saved = monotonic()
            save()
    except OSError as error:
        raise PlauditError(f"{error.filename or target.part}: cannot be written: {error.strerror or error}") from error


def said(
    scorer: Handle, some: Sequence[Preference], leave: Leave = None, shorten: Shorten = None, *, members: bool
) -> list[tuple[Preference, NDArray, Opinion | None]]:
    """Each preference with its scores and, with `members`, the committee's whole opinion."""
    if members:
        return [(p, found.score, found) for p, found in judged_chunk(cast(Panel, scorer), some, leave, shorten)]
    return [(p, scores, None) for p, scores in scored_chunk(scorer, some, leave, shorten)]


def _publish(target: Target) -> None:
    """Give the finished part its name; a file that came to stand there meanwhile is not overwritten."""
    try:
        claim(target.part, target.path)
    except FileExistsError as error:
        raise PlauditError(f"{target.path} appeared meanwhile; the scores are in {target.part}") from error
    _tidy(target)


def _tidy(target: Target) -> None:
    target.position.unlink(missing_ok=True)
    target.part.unlink(missing_ok=True)
