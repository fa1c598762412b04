"""Records to files in another tool's layout: streamed, published whole, nothing dropped without being counted."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from types import ModuleType

import msgspec

from plaudit import catalog
from plaudit.data.layouts import canonical
from plaudit.data.layouts._pairs import PAIR_FIELDS, is_raw, refuse_faults
from plaudit.data.sinks import Sink, sink
from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.records import Preference, Record, conversation_digest, digest

ROOM = "plaudit.data.layouts"
_ALIASES = {"llamafactory": "llama_factory", "nemo": "nemo_rl", "nemorl": "nemo_rl", "open_rlhf": "openrlhf"}
# What a record can hold beside its texts, in the order of a report, and the words of the report.
_WORDS = {
    "id": "id", "strength": "strength", "target": "target", "margin": "margin", "weight": "weight",
    "annotator": "annotator", "group": "group", "tags": "tags", "ratings": "ratings",
    "order": "the file order of the responses", "raw": "that the text is already rendered",
}  # fmt: skip
_REMEDIES = ("target", "margin", "weight")


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a writing: rows written, rows skipped by reason, fields lost by name, and the files that resulted.

    `lost` counts the written rows that had something in a field which the layout, or this kind of file, cannot hold;
    `unread` those with a remedy (target, margin, weight) that stands in the file and that its tool does not look at.
    `late`: columns of a JSON file that begin so far down that `datasets`, with which other tools read, refuses it.
    """

    path: str
    layout: str
    written: int
    skipped: int
    reasons: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    usage: str = ""
    unread: dict[str, int] = field(default_factory=dict)
    late: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What a person should know before another tool reads the file."""
        found = []
        if self.unread:
            words = ", ".join(f"{name} ({n:,} rows)" for name, n in self.unread.items())
            found.append(f"the tool that reads {self.layout} files does not look at: {words}")
        if self.late:
            words = ", ".join(self.late)
            found.append(f"first seen after 8 MB: {words}; tools that load JSON with `datasets` refuse such a file, "
                         "a .parquet file is safe")  # fmt: skip
        return found

    @property
    def cannot_hold(self) -> str:
        """One line for a person: what the layout could not hold, with counts; "" when nothing was lost."""
        parts = [f"{reason} ({n:,} skipped, listed)" for reason, n in self.reasons.items()]
        parts += [
            f"{_WORDS.get(name, f'{name} as a column of this file')} ({n:,} rows)" for name, n in self.lost.items()
        ]
        return f"{self.layout} cannot hold: {', '.join(parts)}" if parts else ""


def write(preferences: Iterable[Record], to: str, path: str | PathLike, *, as_pairs: bool = False) -> Written:
    """Write records in the layout `to`: trl, openrlhf, nemo_rl, llama_factory, canonical, or another that writes.

    The suffix of `path` decides the form: jsonl, json, csv (each also with .gz), parquet. An existing file is never
    overwritten; the file appears whole or not at all, and not when no record could be written. Records that the
    layout cannot hold are listed, with the reason, in `path`.skipped.jsonl, which is itself readable. With `as_pairs` a
    list of more than two is written as its comparisons, its weight split evenly over them.

    >>> import tempfile; from plaudit.records import group, pair
    >>> target = Path(tempfile.mkdtemp()) / "pairs.jsonl"
    >>> done = write([pair("2+2?", "4", "5"), group("2+2?", ("4", "four"), (0, 0))], "llama-factory", target)
    >>> done.written, done.cannot_hold
    (1, 'llama_factory cannot hold: a tie (1 skipped, listed)')
    """
    name, part = writer(to)
    target = Path(path)
    skipped_at = target.with_name(f"{target.name}.skipped.jsonl")
    entry_at = target.with_name(f"{target.name}.dataset_info.json") if hasattr(part, "companion") else None
    for each in (target, skipped_at, entry_at):
        if each is not None and each.exists():
            raise PlauditError(f"{each} exists already", advice="choose another --output, or remove it first")
    tally = _Tally()
    with sink(target, getattr(part, "PARQUET", {}), part.HOLDS) as out, sink(skipped_at, {}, frozenset()) as skipped:
        _all(preferences, part, out, skipped, tally, as_pairs)
        with _together() as published:
            if tally.written:
                out.publish()
                published.append(target)
            if tally.reasons:
                skipped.publish()
                published.append(skipped_at)
            if entry_at is not None and tally.written:
                _write_entry(entry_at, part.companion(target))
                published.append(entry_at)
    usage = part.usage(str(target)) if hasattr(part, "usage") and tally.written else ""
    names = (*_WORDS, *sorted(tally.lost.keys() - _WORDS.keys()))
    return Written(
        str(target), name, tally.written, tally.reasons.total(), dict(tally.reasons.most_common()),
        {key: tally.lost[key] for key in names if tally.lost[key]}, tuple(map(str, published)), usage,
        {key: tally.unread[key] for key in _REMEDIES if tally.unread[key]},
        tuple(out.late) if hasattr(part, "READ_BY_TOOL") else (),
    )  # fmt: skip


@dataclass(slots=True)
class _Tally:
    """What is counted while records are written."""

    written: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)


@contextmanager
def _together() -> Iterator[list[Path]]:
    """Several files appear, or none of them: when a later one fails, the earlier ones are taken back."""
    published: list[Path] = []
    try:
        yield published
    except BaseException:
        for each in published:
            each.unlink(missing_ok=True)
        raise


def _write_entry(place: Path, entry: tuple[str, dict]) -> None:
    with sink(place, {}, frozenset(), document=True) as out:
        out.put(dict([entry]))
        out.publish()


def writer(to: str) -> tuple[str, ModuleType]:
    """The layout of that name (case and dashes do not matter), which must be one that is also written."""
    wanted = to.strip().lower().replace("-", "_")
    wanted = _ALIASES.get(wanted, wanted)
    if wanted not in catalog.names(ROOM):
        near = get_close_matches(wanted, writable(), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise OptionError([f"unknown layout {to!r}{hint}"], advice=f"written: {', '.join(writable())}")
    part = catalog.load(ROOM, wanted)
    if not hasattr(part, "write"):
        raise OptionError([f"the layout {wanted!r} is read, not written"], advice=f"written: {', '.join(writable())}")
    return wanted, part


def writable() -> list[str]:
    """Names of the layouts that are also written."""
    return [name for name in catalog.names(ROOM) if hasattr(catalog.load(ROOM, name), "write")]


def _all(records: Iterable[Record], part: ModuleType, out: Sink, skipped: Sink, tally: _Tally, as_pairs: bool) -> None:
    """Write each record or list it as skipped; count both, and each lost field."""
    looks_at = getattr(part, "READ_BY_TOOL", _REMEDIES)
    for whole in records:
        for record in pairs_of(whole) if as_pairs else (whole,):
            try:
                if isinstance(record, Preference):
                    _check(record)
                lost = out.put(part.write(record))
            except DataError as error:
                tally.reasons[error.reason] += 1
                skipped.put({"reason": error.reason, **canonical.write(record)})
            except (UnicodeEncodeError, msgspec.MsgspecError, TypeError) as error:
                raise DataError(record.source or record.id, f"cannot be written: {error}") from error
            else:
                fields = list(dropped(record))
                tally.written += 1
                tally.lost.update([*lost, *(name for name in fields if name not in part.HOLDS)])
                tally.unread.update(
                    name for name in fields if name in _REMEDIES and name not in looks_at and _says(record, name)
                )


def _says(record: Record, name: str) -> bool:
    """Whether a remedy changes what is learned: a target of 1 is the label as it stands."""
    return name != "target" or getattr(record, "target", None) != 1


def _check(record: Preference) -> None:
    """Refuse what would be rejected when it is read again: empty or equal responses, numbers that are none."""
    where = record.source or record.id
    refuse_faults(record.responses, where, [f"response {i}" for i in range(1, len(record.responses) + 1)])
    numbers = [("strength", record.strength), ("target", record.target), ("margin", record.margin),
               ("weight", record.weight), *(item for rated in record.ratings for item in rated.items())]  # fmt: skip
    for name, value in numbers:
        if value is not None and not math.isfinite(value):
            raise DataError(where, f"{name} is not finite")


def dropped(record: Record) -> Iterator[str]:
    """The fields in which a record has something to lose."""
    if not isinstance(record, Preference):
        return
    for name in PAIR_FIELDS:
        value = getattr(record, name)
        if name == "id":
            texts = (record.prompt, *record.responses)
            if value == digest(*map(conversation_digest, texts), record.annotator):
                continue  # made from the texts, so it comes back with them
        elif name in ("margin", "weight"):
            if value == (0.0 if name == "margin" else 1.0):
                continue
        elif value is None or not (value or name in ("strength", "target")):
            continue
        yield name
    if record.ranks is not None and list(record.ranks) != sorted(record.ranks):
        yield "order"
    if is_raw(record):
        yield "raw"


def pairs_of(record: Record) -> Iterator[Record]:
    """The comparisons of a list of more than two, as pairs; everything else as it is."""
    if not isinstance(record, Preference) or len(record.responses) < 3:
        yield record
        return
    found = record.comparisons()
    if not found:
        yield record
    for i, j in found:
        yield replace(
            record,
            id=f"{record.id}#{i + 1}v{j + 1}",
            responses=(record.responses[i], record.responses[j]),
            ranks=(0, 1),
            ratings=(record.ratings[i], record.ratings[j]) if record.ratings else (),
            weight=record.weight / len(found),
        )
