"""Write what an audit found into a file, so that every change can be undone: `plaudit.repair`, and `undo`."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from plaudit.auditing import store
from plaudit.auditing.options import RepairOptions
from plaudit.auditing.repair_doubtful import Doubtful, export, line_of
from plaudit.auditing.repair_rulings import Places, Rulings, decisions
from plaudit.data import ledger, patch_edits, patch_pairs, patch_table
from plaudit.data.columns import renames
from plaudit.data.limits import Limits
from plaudit.data.opening import BLOCK
from plaudit.data.options import given
from plaudit.data.patch import Edit, entry, patch
from plaudit.data.patch import undo as undone
from plaudit.data.patch_edits import Plan
from plaudit.data.patch_files import Part, parts, refuse_existing, refuse_other_kind
from plaudit.data.patch_rows import LIST, Manner
from plaudit.data.patch_spans import contents, contents_digest, digested, spans
from plaudit.data.read import Row, read
from plaudit.data.sources import BOM, form_of, kind_of
from plaudit.errors import OptionError, PlauditError
from plaudit.folders import file_digest
from plaudit.records import Preference
from plaudit.report.pages.audit_words import behind, blind, coin, mere_length, side, voter
from plaudit.report.pages.audit_words import seen as votes_seen
from plaudit.signals.recipes import PERSON, Step, steps
from plaudit.signals.votes import Signals

DEFAULT = "default"  # the preset of signals.recipes that is applied when nothing is asked for


@dataclass(frozen=True)
class Repaired:
    """What came of a repair. `counts`: rows, comparisons, what was done; `left`: what stays as it is, by reason.

    `columns`: those that rows were given; `empty`: those that a table has without a value. `unapplied`: what was ruled
    and not done, how often, and why. `lost`: a person's decisions among it.
    """

    output: str
    ledger: str
    form: str
    layout: str
    treatments: tuple[str, ...]
    columns: tuple[str, ...]
    empty: tuple[str, ...]
    counts: dict[str, int]
    left: dict[str, int]
    unapplied: tuple[dict[str, Any], ...] = ()
    lost: tuple[dict[str, Any], ...] = ()
    doubtful: int = 0
    in_lists: int = 0  # doubtful pairs whose row is a list of more than two responses
    again: bool = False  # the file came out of a repair with this very audit
    caution: str = ""  # why the audit itself said not to act on its verdicts
    model: str = ""  # what voted, as it was named

    def document(self) -> dict[str, Any]:
        """The JSON of `plaudit repair --json`."""
        return {
            "output": self.output, "ledger": self.ledger, "form": self.form, "layout": self.layout,
            "treatments": list(self.treatments), "columns": list(self.columns), **self.counts, "left": self.left,
            "unapplied": list(self.unapplied), "decisions_lost": list(self.lost),
            "doubtful": self.doubtful, "caution": self.caution or None,
        }  # fmt: skip


def repair(
    file: str | Path,
    *,
    audit: str | Path,
    output: str | Path | None = None,
    treatment: Sequence[str] = (),
    options: RepairOptions | None = None,
    **more: Any,
) -> Repaired:
    """Write `file` with its preferences treated as the audit in the folder `audit` says, and the ledger beside it.

    `treatment`: names with options, or presets, applied in order, such as `["flip:quantile=0.1", "margin"]`; the
    default policy when none is given and no decisions either. `more` are options by name. Signals are found by
    content, so the file may have been sorted, renamed or filtered since; what the audit never saw stays as it is.

    Raises:
        PlauditError: the audit knows nothing of this file, an output exists already, nothing would be left.
        OptionError: unknown treatments or options, all of them at once.
    """
    options = RepairOptions(**{**(options.model_dump() if options else {}), **more})
    source = str(file)
    target = None if output is None else Path(output)
    plan = steps(treatment or (() if options.decisions else (DEFAULT,)))
    form = _ready(source, target, options, plan if treatment else ())
    signals, summary = store.load(audit)
    rulings, seen, elsewhere = _ruled(source, audit, signals, plan, options)
    if options.doubtful is not None and seen.doubtful and not options.dry_run:
        export(options.doubtful, seen.doubtful)
    job = Plan(rulings, Manner(rulings.fill, options.strength, options.margin_sign), renames(options.columns))
    job.counts["decisions_elsewhere"] = elsewhere
    own = file_digest(Path(audit) / store.SIGNALS)
    if target is not None and not options.dry_run:
        header = {
            "plaudit": "ledger", "format": ledger.FORMAT, "form": form, "treatments": rulings.steps,
            "audit": own, "as_pairs": options.as_pairs,
        }  # fmt: skip
        (_write_table if form == "parquet" else _write_bytes)(source, target, form, job, options, header)
    elif options.dry_run:
        _rehearse(source, form, job, options)
    names = ("", "") if target is None else (str(target), str(ledger.ledger_of(target)))
    return Repaired(*names, form, job.layout, tuple(rulings.steps), tuple(_carried(job)), _empty(job, form),
                    _counts(job), dict(job.left.most_common()), _unapplied(job), tuple(job.lost), len(seen.doubtful),
                    seen.in_lists, ledger.audit_of(source) == own, caution(summary) if plan and job.counts["changed"]
                    else "", str(summary["voters"]["model"]))  # fmt: skip


def caution(summary: Mapping[str, Any]) -> str:
    """Why an audit's verdicts are not to be acted on, in words; empty where it found no reason.

    >>> held = {"score": 0.51, "low": 0.46, "high": 0.55}
    >>> caution({"folds": 5, "accuracy": held, "voters": {"scorer": ""}, "members": [1, 2]})
    'the committee agrees with 51.0% of labels (46.0% to 55.0%): it cannot be told from a coin'
    """
    if blind(summary):
        held = summary["accuracy"]
        span = f"{held['score']:.1%} of labels ({held['low']:.1%} to {held['high']:.1%})"
        return f"{voter(summary)} agrees with {span}: {coin(held)}"
    if votes_seen(summary):
        return "its votes may have seen the labels, and a wrong label that was learned looks right"
    if mere_length(summary):
        return f"{voter(summary)} is not surely more than length: it votes for the {side(summary['length'])} response"
    if behind(summary):
        return f"{voter(summary)} is behind length alone"
    return ""


def _ruled(
    source: str, audit: str | Path, signals: Signals, plan: Sequence[Step], options: RepairOptions
) -> tuple[Rulings, "Survey", int]:
    """The ruling on every comparison of the audit, what the file holds of it, and decisions about other files."""
    decision = decisions(options.decisions, signals)
    if options.decisions and not plan and not (decision != "").any():
        advice = (
            "write keep, flip, tie or drop after `decision` in the lines you are sure of, or name a --treatment too"
        )
        raise PlauditError(f"{options.decisions}: no decision is filled in", advice=advice)
    places = Places(signals)
    seen = _survey(_rows(source, options), signals, places, options)
    if not seen.here.any():
        advice = f"name the file that was audited, or: plaudit audit {source} --model M --output-dir D"
        raise PlauditError(f"{audit} knows no preference of {source}: it is the audit of another file", advice=advice)
    elsewhere = (decision != "") & (decision != "keep") & ~seen.here
    return Rulings(signals, places, plan, seen.label, decision), seen, int(elsewhere.sum())


COUNTED = (
    "rows", "rejected", "comparisons", "unseen", "lists", "changed",
    "flip", "soften", "tie", "margin", "weight", "drop", "decisions", "decisions_applied", "decisions_elsewhere",
)  # fmt: skip


def _counts(job: Plan) -> dict[str, int]:
    return {name: job.counts[name] for name in COUNTED}


def _unapplied(job: Plan) -> tuple[dict[str, Any], ...]:
    return tuple({"what": what, "count": n, "why": why} for (what, why), n in job.unapplied.most_common())


def _carried(job: Plan) -> list[str]:
    """The columns that the file was given; none where no row can hold them."""
    return [name for name in job.columns if name in job.carried]


def _empty(job: Plan, form: str) -> tuple[str, ...]:
    """The columns that a table's header gained, although no row was given a value."""
    return tuple(n for n in job.columns if n not in job.carried) if form in ("csv", "parquet") else ()


def _ready(source: str, target: Path | None, options: RepairOptions, asked: Sequence[Step]) -> str:
    """Refuse at once what would fail later, or do nothing of what was `asked`; how the rows lie in the file."""
    mistakes = []
    if any(step.name == PERSON for step in asked) and options.decisions is None:
        mistakes.append(f"--treatment {PERSON} does nothing without --decisions F")
    elif asked and target is None and options.doubtful is not None and not options.dry_run:
        mistakes.append("--treatment does nothing without --output")
    if target is None and options.doubtful is None and not options.dry_run:
        mistakes.append("where to? name --output F, or --doubtful F for the pairs that a person should look at")
    if options.doubtful is None and "doubtful_above" in given(options):
        mistakes.append("--doubtful-above does nothing without --doubtful F")
    if source.startswith("hub:"):
        mistakes.append(f"{source}: only a file can be repaired; save the data set first (plaudit convert)")
    elif Path(source).is_dir():
        mistakes.append(f"{source} is a folder: repair its files one by one, with the same --audit")
    if mistakes:
        raise OptionError(mistakes)
    form = form_of(source)
    if options.as_pairs and form in ("csv", "parquet"):
        advice = f"plaudit convert {source} --to canonical --output pairs.jsonl, and audit that"
        raise OptionError([f"--as-pairs: not in {form}"], advice=advice)
    if target is not None:
        refuse_other_kind(source, target, form)
        refuse_existing(target, ledger.ledger_of(target))
    if options.doubtful is not None:
        refuse_existing(options.doubtful)
    return form


def _rows(source: str, options: RepairOptions) -> Iterator[Row]:
    limits = Limits(line_bytes=options.line_bytes)
    return read(source, layout=options.layout, columns=renames(options.columns), limits=limits)


@dataclass
class Survey:
    """What the file and the audit have in common. `label` [P]: 1/2 where the file says that a comparison is a tie.

    `here` [P]: which of the audit's comparisons the file holds.
    """

    label: Any
    here: Any
    doubtful: list[dict[str, Any]] = field(default_factory=list)
    in_lists: int = 0


def _survey(rows: Iterable[Row], signals: Signals, places: Places, options: RepairOptions) -> Survey:
    """Read the file once: which of its comparisons are ties, which are doubtful, and whether any was audited."""
    label = np.array(signals["label"], np.float64) if "label" in signals else np.ones(signals.rows)
    seen = Survey(label, np.zeros(signals.rows, bool))
    doubtful = Doubtful(options.doubtful_above)
    for row in rows:
        for record in (r for r in row.records if isinstance(r, Preference)):
            for better, worse in record.comparisons():
                at = places(record, better, worse)
                if at is None:
                    continue
                seen.here[at] = True
                seen.label[at] = 0.5 if record.is_tie else 1.0
                if options.doubtful is not None and not record.is_tie and doubtful(signals, at):
                    seen.doubtful.append(line_of(record, at, signals))
                    seen.in_lists += len(record.responses) > 2
    places.again()
    return seen


def _edits(source: str, form: str, job: Plan, options: RepairOptions) -> Iterator[Edit]:
    found = spans(contents(source), form, Limits(line_bytes=options.line_bytes))
    room = patch_pairs if options.as_pairs else patch_edits
    return room.edits(_rows(source, options), found, form, job)


def _rehearse(source: str, form: str, job: Plan, options: RepairOptions) -> None:
    """Count what would be done, and refuse what the repair itself would."""
    if form == "parquet":
        for _ in patch_table.batches(source, _rows(source, options), job, patch_table.shape_of(source, _names(job))):
            pass
    else:
        for _ in _edits(source, form, job, options):
            pass
    _something_left(source, job)


def _names(job: Plan) -> list[str]:
    return [job.file_name(name) for name in job.columns]


def _something_left(source: str, job: Plan) -> None:
    kept = job.counts["unseen"] + job.left[LIST]
    if job.counts["comparisons"] and job.counts["drop"] == job.counts["comparisons"] and not kept:
        raise PlauditError(f"{source}: every preference would be dropped", advice="use a milder treatment")


def _write_bytes(
    source: str, target: Path, form: str, job: Plan, options: RepairOptions, header: dict[str, Any]
) -> None:
    """Write a text file and its ledger: first the edits are gathered, then they are cut into a second reading."""
    old, new = blake2b(digest_size=16), blake2b(digest_size=16)
    stood = os.stat(source)
    found = list(_edits(source, form, job, options))
    _something_left(source, job)
    with parts(ledger.ledger_of(target), target) as (book, out), _draft(target) as draft:

        def done(edit: Edit, old: bytes, at: int) -> None:
            for values in entry(edit, old, at):
                draft.write(ledger.line(values))

        head = bytearray()
        for piece in patch(digested(contents(source), old), found, done):
            new.update(piece)
            out.write(piece)
            head += piece if len(head) < BLOCK else b""  # what the reader tells the form by
        _still_read(source, target, bytes(head), form)
        stands = os.stat(source)
        if (stood.st_size, stood.st_mtime_ns) != (stands.st_size, stands.st_mtime_ns):
            raise PlauditError(f"{source} changed while it was being read", advice="run the command again")
        header |= {"input": old.hexdigest(), "output": new.hexdigest()}
        _bind(book, draft, header, job)


def _still_read(source: str, target: Path, head: bytes, form: str) -> None:
    """Refuse what would be taken for another kind of file: an object of rows that now stands on one line, say."""
    found = kind_of(head.removeprefix(BOM), target.name)
    if found != form:
        raise PlauditError(
            f"{source}: repaired, its {form} would be read as {found}",
            advice=f"plaudit convert {source} --to canonical --output pairs.jsonl, and audit that",
        )


def _write_table(
    source: str, target: Path, form: str, job: Plan, options: RepairOptions, header: dict[str, Any]
) -> None:
    """Write a parquet file and its ledger."""
    shape = patch_table.shape_of(source, _names(job))
    with parts(ledger.ledger_of(target), target) as (book, out), _draft(target) as draft:

        def tables() -> Iterator[Any]:
            for table, lines in patch_table.batches(source, _rows(source, options), job, shape):
                for values in lines:
                    draft.write(ledger.line(values))
                yield table

        patch_table.write_tables(out.path, tables(), shape.new, source)
        _something_left(source, job)
        header |= {
            "input": patch_table.table_digest(source), "output": file_digest(out.path),
            "schema": patch_table.schema_text(shape.old),
        }  # fmt: skip
        _bind(book, draft, header, job)


def _draft(target: Path) -> Any:
    """A nameless file for the ledger's lines, which follow a header that is known last."""
    try:
        return tempfile.TemporaryFile(dir=target.parent)
    except OSError as error:
        raise PlauditError(f"{target}: cannot be written: {error.strerror or error}") from error


def _bind(book: Part, draft: Any, header: dict[str, Any], job: Plan) -> None:
    """Header, then the lines."""
    body = blake2b(digest_size=16)
    draft.seek(0)
    for block in iter(lambda: draft.read(1 << 20), b""):
        body.update(block)
    facts = {"layout": job.layout, "columns": _carried(job), "counts": _counts(job),
             "left": dict(job.left.most_common()), "unapplied": _unapplied(job)}  # fmt: skip
    book.write(ledger.line({**header, **facts, "lines": body.hexdigest()}))
    draft.seek(0)
    for block in iter(lambda: draft.read(1 << 20), b""):
        book.write(block)


def undo(file: str | Path, *, output: str | Path) -> dict[str, Any]:
    """Write the original of a repaired file, from it and the ledger beside it; the ledger's header.

    Raises:
        PlauditError: the file was edited since it was repaired, or its ledger is missing, damaged or another's.
    """
    source, target = str(file), Path(output)
    refuse_existing(target)
    header = ledger.opened(source)
    refuse_other_kind(source, target, header["form"])
    table = header["form"] == "parquet"
    if (file_digest(Path(source)) if table else contents_digest(source)) != header["output"]:
        raise PlauditError(
            f"{source} is not the file that its ledger belongs to: it was edited since it was repaired",
            advice="undo the edits first, or go back to the original file; changes on both sides cannot be told apart",
        )
    try:
        with parts(target) as (out,):
            found = _restore(source, header, out)
            if found != header["input"]:
                raise PlauditError(f"{ledger.ledger_of(source)} is damaged: it does not lead back to the original")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # lines that are not a ledger's
        raise PlauditError(f"{ledger.ledger_of(source)} is damaged: a line does not say how to undo it") from error
    return header


def _restore(source: str, header: dict[str, Any], out: Part) -> str:
    """Write the original; the digest of what was written."""
    lines = ledger.lines(source)
    if header["form"] == "parquet":
        schema = patch_table.schema_of(header["schema"])
        patch_table.write_tables(out.path, patch_table.restored(source, schema, lines), schema, source)
        return patch_table.table_digest(str(out.path))
    h = blake2b(digest_size=16)
    for piece in undone(contents(source), lines):
        h.update(piece)
        out.write(piece)
    return h.hexdigest()
