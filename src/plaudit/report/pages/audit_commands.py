"""The commands that an audit proposes, as its page and the screen show them: each can be pasted."""

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plaudit.report.pages.audit_words import behind, blind, counted, few, mere_length, near_length, seen, voter
from plaudit.report.pages.frame import NAME, visible

STRONGER = "smollm2-135m"  # the strongest model that comes with plaudit
READING = ("layout", "columns")  # options without which another command reads the file otherwise, or not at all
LONGEST = 400  # characters of an option's value in a command
FILES = 50  # files that audit.json lists; with so many nobody knows whether there are more
_PART = re.compile(r"""(?:[^ '"]|'[^']*'|"[^"]*")+""")
_SUFFIX = re.compile(r"\.(jsonl|json|csv|tsv|parquet)(\.gz)?$")
_TABLE = re.compile(r"\.(csv|tsv|parquet)(\.gz)?$")


@dataclass(frozen=True)
class Way:
    """How a file of this audit is repaired: `first` is a command that goes before, empty where none is needed.

    `reading` and `pairs` are options for `file`; `end` follows the names of copies: an ending, or -FILE.
    """

    first: str
    file: str
    reading: str
    pairs: str
    end: str


def way(found: Mapping[str, Any], file: str, names: Sequence[str]) -> Way:
    """How `file` is repaired (FILE stands for it where it is empty); `names` are those of all audited files.

    >>> way({"rows": {"lists": 9, "audited": 9}}, "a.csv", ["a.csv"]).first
    'plaudit convert a.csv --to canonical --output a.canonical.jsonl'
    >>> way({"rows": {}}, "", ["a.json", "b.parquet"]).end
    '-FILE'
    """
    one, reading = shlex.quote(file) if file else "FILE", flags(found, READING)
    endings = sorted({ending(name) for name in names}) or [".jsonl"]
    end = endings[0] if len(endings) == 1 else "-FILE"
    if not lists(found):
        return Way("", one, reading, "", end)
    if not any(map(_TABLE.search, endings)):
        return Way("", one, reading, " --as-pairs", end)
    copy = shlex.quote(f"{_stem(file)}.canonical.jsonl") if file else "FILE.canonical.jsonl"
    first = f"plaudit convert {one}{reading} --to canonical --output {copy}"
    return Way(first, copy, "", " --as-pairs", ".jsonl")


def lists(found: Mapping[str, Any]) -> bool:
    """Are most of the audited preferences lists of more than two responses, which repair changes only as pairs?"""
    return 2 * found["rows"].get("lists", 0) > found["rows"].get("audited", 0)


def ending(file: str) -> str:
    """What a copy of the file is to end in.

    >>> ending("a/B.CSV.gz"), ending("hub:a/b")
    ('.csv.gz', '.jsonl')
    """
    found = _SUFFIX.search(file.lower())
    return found.group(0) if found else ".jsonl"


def _stem(file: str) -> str:
    """The file's name without its folder and its ending."""
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    found = _SUFFIX.search(name.lower())
    return name[: found.start()] if found else name


def steps(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What to do next: a reason and its command. FILE and D stand where this page cannot know a path."""
    sources = list(found["sources"])
    how = way(found, _file(sources), sources)
    model = word(found["voters"]["model"].split(",")[0]) or "M"
    start = f"plaudit repair {how.file}{how.reading} --audit D"
    convert = [
        ("A table cannot hold the comparisons of a list as pairs: write it as JSON lines first.", how.first)
    ] if how.first else []  # fmt: skip
    repair = [
        ("Write a repaired copy. Every change is listed with its reason in repaired"
         f"{how.end}.ledger.jsonl; the file that came in stays as it is.",
         f"{start}{how.pairs} --output repaired{how.end}"),
    ]  # fmt: skip
    people = [
        ("Let people settle the doubtful pairs: this writes them to a file, in which somebody fills in the field "
         "decision of each line with keep, flip, tie or drop;",
         f"{start} --doubtful doubtful.jsonl"),
        ("and this obeys them.",
         f"{start} --decisions doubtful.jsonl{how.pairs} --output decided{how.end}"),
    ]  # fmt: skip
    rest = [
        ("Changed your mind? This gives the original back.",
         f"plaudit repair --undo repaired{how.end} --output original{how.end}"),
        ("Train a reward model on the repaired copy.",
         f"plaudit train repaired{how.end}{'' if how.pairs else how.reading} --model {model} --output-dir model"),
    ]  # fmt: skip
    if (behind(found) or near_length(found)) and not seen(found):
        (why, command), obey = people
        people = [(f"{_near(found)} {why}", command), obey]
        first = [*people, *repair]
    else:
        first = [*repair, *people]
    return [*_before(found), *convert, *first, *rest, *_rate(found)]


def _near(found: Mapping[str, Any]) -> str:
    n = counted(found["accuracy"]["n"], "comparison")
    if behind(found):
        return f"Look at the pairs first: {voter(found)} is behind length alone."
    return f"Look at the pairs first, or bring more rows: with {n} {voter(found)} is not surely ahead of length alone."


def _before(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What goes before any change: a committee that can tell more, or more rows."""
    files = _files(list(found["sources"]))
    if seen(found):
        why = "Ask a committee whose members vote only on rows they never saw, before you change anything."
        return [(why, stronger(found, files, "D-stronger"))]
    if few(found):
        n = counted(found["accuracy"]["n"], "comparison")
        return [
            (
                f"Bring more rows before you change anything: from {n} little can be told, whatever votes.",
                more(found, files),
            )
        ]
    if doubtful(found):
        return [("Ask a stronger committee before you change anything.", stronger(found, files, "D-stronger"))]
    return []


def _rate(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How to get a rate of wrong labels where nobody asked for one."""
    if found["noise"]["model"] is not None or seen(found):
        return []
    asked = f"--model {word(found['voters']['model']) or 'M'}{flags(found, leave=('noise',))}"
    return [
        ("Estimate the share of wrong labels under a named noise model (with the same --cache, the votes are taken "
         "from it).",
         f"plaudit audit {_files(list(found['sources']))} {asked} --noise uniform --output-dir D-noise"),
    ]  # fmt: skip


def doubtful(found: Mapping[str, Any]) -> bool:
    """Is there reason to ask another committee before anything is changed, and one to ask?"""
    if seen(found):
        return True
    return (
        not few(found)
        and (blind(found) or mere_length(found) or behind(found))
        and found["voters"]["model"] != STRONGER
    )


def stronger(found: Mapping[str, Any], files: str, output_dir: str) -> str:
    """The command that asks one, with the audit's other options; out of fold, where the votes may have seen labels."""
    model, leave = STRONGER, ("layers",)
    if found["voters"]["in_sample"]:
        model, leave = word(found["voters"]["model"]) or "M", ("in_sample",)
    return f"plaudit audit {files} --model {model}{flags(found, leave=leave)} --output-dir {output_dir}"


def more(found: Mapping[str, Any], files: str, output_dir: str = "D-more") -> str:
    """The same audit of more rows."""
    asked = f"--model {word(found['voters']['model']) or 'M'}{flags(found)}"
    return f"plaudit audit {files} MORE {asked} --output-dir {output_dir}"


def flags(found: Mapping[str, Any], only: Collection[str] | None = None, leave: Collection[str] = ()) -> str:
    """The audit's options that are not the default, as a command takes them, each after a blank.

    >>> flags({"options": {"heads": "mlp", "length_member": True, "columns": "prompt=my question"}})
    " --heads mlp --length-member --columns 'prompt=my question'"
    """
    out = []
    for name, value in found.get("options", {}).items():
        if name not in leave and (only is None or name in only):
            flag = f" --{name.replace('_', '-')}"
            out.append(flag if value is True else f"{flag} {word(str(value), LONGEST) or name.upper()}")
    return "".join(out)


def _file(sources: Sequence[str]) -> str:
    """The one audited file; empty where there are several, or where its name cannot be printed."""
    return sources[0] if len(sources) == 1 and word(sources[0]) else ""


def _files(sources: Sequence[str]) -> str:
    """All audited files as shell words, in the order of their names; FILE where one of them cannot be printed."""
    words = [word(source) for source in sorted(sources)]
    return " ".join(words) if words and all(words) and len(words) < FILES else "FILE"


def word(text: str, most: int = NAME) -> str:
    """The text as one word of a shell command; empty when it cannot be printed as it is."""
    return shlex.quote(text) if text and len(text) <= most and visible(text) == text else ""


def parts(command: str) -> list[str]:
    """The command's words as the shell sees them, quotes kept: a line may break between them.

    >>> parts("plaudit repair 'my pairs.csv' --audit D")
    ['plaudit', 'repair', "'my pairs.csv'", '--audit', 'D']
    """
    return _PART.findall(command)


def places(commands: Iterable[str]) -> str:
    """What the commands' placeholders stand for; empty where they hold none.

    >>> places(["plaudit repair FILE --audit D --output repaired.csv"])
    'Here D is the folder this page lies in, and FILE a file that was audited.'
    >>> places(["plaudit audit a.csv --model tiny --output-dir D-stronger"]), places(["plaudit train a.csv"])
    ('Here D is the folder this page lies in.', '')
    """
    held = {part.removesuffix("-stronger").removesuffix("-more").removesuffix("-noise")
            for command in commands for part in command.split(" ")}  # fmt: skip
    meant = {"D": "D is the folder this page lies in", "FILE": "FILE a file that was audited",
             "MORE": "MORE another file of the same kind"}  # fmt: skip
    said = [text for name, text in meant.items() if name in held]
    return f"Here {', and '.join(said)}.".replace("Here FILE a", "Here FILE is a") if said else ""
