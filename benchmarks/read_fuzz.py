"""A million mutated lines of real files through the reader: nothing escapes, nothing is lost, memory stays flat.

    PLAUDIT_DATA=... python benchmarks/read_fuzz.py [LINES]

Every row of every file that the reader knows becomes a line; lines are mutated (bytes flipped, cut, joined with other
lines, keys doubled, types swapped, nested, spliced with control characters and broken UTF-8) and read in chunks, each
after three clean lines of its file. Asserted for each chunk: no exception; one Row per line that is not blank, in
order, with the line's bytes; a Row has records or a reason. Every tenth chunk is read as a JSON array
too. Writes read_fuzz.json beside this file.
"""

import json
import os
import platform
import random
import re
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

from plaudit.data.limits import LIMITS
from plaudit.data.opening import is_data_name
from plaudit.data.read import read
from plaudit.data.sources import items
from plaudit.data.tables import as_json
from plaudit.errors import DataError

CHUNK = 5_000
AWAY = ("stats.json", "suites", "gsm8k", "images", "dsp_personas", "stackexchange", "label_flip_overlay.jsonl.gz")
SCRAPS = [
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud83d", b"NaN", b"-Infinity", b"1e999", b"\r", b"\t", b'"', b"\\", b"{",
    b"[", b"}", b"]", b",", b":", b"null", b"true", b"\xe2\x80\xae", b"\\u0000", b"//", b"'",
]  # fmt: skip


def flip(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = rng.randrange(len(line))
    return line[:at] + bytes([line[at] ^ (1 << rng.randrange(8))]) + line[at + 1 :]


def cut(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    a, b = sorted(rng.randrange(len(line) + 1) for _ in range(2))
    return rng.choice([line[:a], line[a:], line[:a] + line[b:]])


def splice(line: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return line[: rng.randrange(len(line) + 1)] + other[rng.randrange(len(other)) :]


def scrap(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = rng.randrange(len(line) + 1)
    return line[:at] + rng.choice(SCRAPS) * rng.choice([1, 1, 2, 80]) + line[at:]


def double_key(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    key = json.dumps(rng.choice(list(json.loads(line)) or ["x"])).encode()
    return line[:-1] + b", " + key + b": " + rng.choice([b"1", b'"x"', b"null"]) + b"}"


def swap_type(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    row = json.loads(line)
    for key in rng.sample(list(row), min(len(row), rng.choice([1, 1, 2]))):
        row[key] = rng.choice(
            [None, True, 12, -1.5, "", " ", [], {}, 10**400, [row[key]], {"a": row[key]}, [[1], "x"], "x" * 50]
        )
    return json.dumps(row, ensure_ascii=rng.random() < 0.5).encode()


def drop_or_copy(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    row = json.loads(line)
    if len(row) > 1:
        a, b = rng.sample(list(row), 2)
        row[a] = row[b]
        if rng.random() < 0.5:
            del row[b]
    return json.dumps(row).encode()


def nest(line: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    deep = rng.choice([3, 70, 900, 3000])
    return line[:-1] + b', "deep": ' + b"[" * deep + b"]" * deep + b"}"


MUTATIONS = [flip, cut, splice, scrap, double_key, swap_type, drop_or_copy, nest]


def sources(folder: Path) -> dict[str, list[bytes]]:
    """Lines of compact JSON by file, at most 400 a file, of every file whose layout is known."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and is_data_name(p.name)):
        name = path.relative_to(folder).as_posix()
        if any(part in name for part in AWAY):
            continue
        rows = [row for _, (_, _, row, _) in zip(range(400), items(str(path), LIMITS)) if row]
        try:
            next(iter(read(path)))
        except DataError:
            continue
        found[name] = [as_json(row) for row in rows]
    return found


def mutate(lines: list[bytes], rng: random.Random, kinds: Counter) -> list[bytes]:
    out = lines[:3]
    for _ in range(CHUNK):
        kind = rng.choice(MUTATIONS)
        kinds[kind.__name__] += 1
        out.append(kind(rng.choice(lines), rng, lines))
    return out


def read_chunk(path: Path, lines: list[bytes], reasons: Counter) -> tuple[int, int, int]:
    path.write_bytes(b"\n".join(lines) + b"\n")
    expected = [line for line in path.read_bytes().split(b"\n") if line and not line.isspace()]
    kept = rejected = 0
    for line, row in zip(expected, read(path), strict=True):
        assert row.raw == line, row.where
        assert row.kept or row.reason, row.where
        kept += row.kept
        rejected += not row.kept
        if row.reason:
            reasons[re.sub(r"\d[\d,]*|'[^']*'", "_", row.reason)] += 1
    assert kept + rejected == len(expected)
    return len(expected), kept, rejected


def read_array(path: Path, lines: list[bytes]) -> int:
    """The same lines as elements of one array: how many rows; the clean ones at its start must live."""
    path.write_bytes(b"[" + b",\n".join(lines) + b"]")
    rows = list(read(path))
    assert all(row.kept or row.reason for row in rows)
    assert [row.kept for row in rows[:3]] == [True] * 3
    return len(rows)


def main(total: int) -> None:
    files = sources(Path(os.environ["PLAUDIT_DATA"]))
    names, rng = sorted(files), random.Random(20240101)
    kinds: Counter = Counter()
    reasons: Counter = Counter()
    given = kept = rejected = mutated = chunks = elements = 0
    rss = []
    with tempfile.TemporaryDirectory() as folder:
        while mutated < total:
            lines = mutate(files[names[chunks % len(names)]], rng, kinds)
            there, good, bad = read_chunk(Path(folder) / "mutated.jsonl", lines, reasons)
            if chunks % 10 == 0:
                elements += read_array(Path(folder) / "mutated.json", lines)
            given += there
            kept, rejected, mutated, chunks = kept + good, rejected + bad, mutated + CHUNK, chunks + 1
            rss.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    settled = rss[min(len(names), len(rss) - 1)]  # every file has been seen once
    document = report(
        lines=mutated, given=given, files=len(names), kept=kept, rejected=rejected, elements=elements, settled=settled, last=rss[-1],
        kinds=kinds, reasons=reasons,
    )  # fmt: skip
    assert rss[-1] <= settled * 1.2 + 10, rss[:: max(1, len(rss) // 20)]
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(document, indent=1, ensure_ascii=False))


def report(
    *,
    lines: int,
    given: int,
    files: int,
    kept: int,
    rejected: int,
    elements: int,
    settled: int,
    last: int,
    kinds,
    reasons,
) -> dict:
    """The measurement as docs/results.md prints it. An exception stops the run before anything is written."""
    return {
        "title": "Reading mutated lines",
        "question": "Does any damage to a real line crash the reader, lose a row, or make memory grow?",
        "what": f"{lines:,} mutated lines (flips, cuts, splices, doubled keys, swapped types, nesting) of {files} real files "
        f"through plaudit.data.read, every tenth chunk also as a JSON array; Python {platform.python_version()}.",
        "bars": [
            {"name": "mutated lines", "bar": "1,000,000", "value": lines, "at_least": 1_000_000},
            {"name": "lines that are neither kept nor rejected", "bar": "none", "value": given - kept - rejected, "equals": 0},
            {"name": "peak memory at the end over that after every file was seen once", "bar": "flat: at most 1.2", "value": round(last / settled, 3), "at_most": 1.2},
        ],
        "tables": [
            {"title": "what became of them", "columns": ["", "count"], "rows": [
                ["rows (a mutation may hold a line break)", kept + rejected], ["kept", kept], ["rejected", rejected],
                ["elements of the same lines in arrays", elements], ["kinds of reason", len(reasons)]]},
            {"title": "commonest reasons", "columns": ["reason", "rows"], "rows": [list(r) for r in reasons.most_common(12)]},
            {"title": "mutations", "columns": ["kind", "lines"], "rows": [list(k) for k in sorted(kinds.items())]},
        ],
        "notes": ["An exception or a failed check stops the script, so a result that was written had none."],
    }  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
