"""`plaudit inspect` on 1 GB of JSON lines, 1 % of them bad, beside a bare `json.loads` loop over the same file.

    PLAUDIT_DATA=... python benchmarks/read_speed.py [MEGABYTES]

The lines are the HH train rows that are there, repeated with a running number in the first human turn, so that every
prompt and id is its own. Bad lines are cut, hold a number for text, lack a side, double a key, or are not UTF-8. Both
programs run in processes of their own, alternating, three times; times are those of whole processes, start included.
Checked: every bad line is in the rejects file exactly once and nothing else is. Writes read_speed.json beside it.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROUNDS = 3
BARE = """
import json, sys
bad = 0
with open(sys.argv[1], "rb") as file:
    for line in file:
        try:
            json.loads(line)
        except ValueError:
            bad += 1
"""


def hh_rows(folder: Path) -> list[dict[str, str]]:
    """HH train rows that the reader keeps."""
    from plaudit.data.read import read

    names = [folder / "hh" / f"{part}-base" / "train.jsonl.gz" for part in ("helpful", "harmless")]
    rows = [json.loads(row.raw) for row in read(names) if row.kept]
    return [row for row in rows if row["chosen"].startswith("\n\nHuman: ")]


def spoil(line: bytes, kind: int) -> bytes:
    """One of five ways of being bad."""
    if kind == 0:
        return line[: len(line) // 2].rstrip(b"\\")
    if kind == 1:
        return line.replace(b'"rejected": ', b'"rejected": 12, "was": ', 1)
    if kind == 2:
        return line.replace(b'"rejected"', b'"refused"', 1)
    if kind == 3:
        return line[:-1] + b', "chosen": "x"}'
    return line[:20] + b"\xff" + line[20:]


def build(rows: list[dict[str, str]], target: Path, size: int) -> tuple[int, list[bytes]]:
    """Write at least `size` bytes; the number of lines and the bad ones."""
    bad, number, written = [], 0, 0
    with open(target, "wb") as file:
        while written < size:
            row = {k: v.replace("Human: ", f"Human: [{number}] ", 1) for k, v in rows[number % len(rows)].items()}
            line = json.dumps(row, ensure_ascii=False).encode()
            if number % 100 == 50:
                line = spoil(line, number // 100 % 5)
                bad.append(line)
            file.write(line + b"\n")
            written, number = written + len(line) + 1, number + 1
    return number, bad


def run(command: list[str], rejects: Path | None = None) -> tuple[float, int, str]:
    """Seconds, peak memory in MB and standard output of one process."""
    if rejects is not None:
        rejects.unlink(missing_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        assert child.returncode == 0, (command, child.returncode)
        out.seek(0)
        return seconds, usage.ru_maxrss // 1024, out.read().decode()


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, rejects = Path(folder) / "preferences.jsonl", Path(folder) / "rejects.jsonl"
        lines, bad = build(hh_rows(Path(os.environ["PLAUDIT_DATA"])), file, megabytes * 1_000_000)
        inspect = [
            str(Path(sys.executable).with_name("plaudit")),
            "inspect",
            str(file),
            "--json",
            "--rejects",
            str(rejects),
        ]
        ours, bare, memory = [], [], []
        for _ in range(ROUNDS):
            bare.append(run([sys.executable, "-c", BARE, str(file)])[0])
            seconds, peak, text = run(inspect, rejects)
            ours.append(seconds)
            memory.append(peak)
        found = json.loads(text)["files"][0]
        assert (found["rows"], found["rejected"]) == (lines, len(bad)), found
        told = Counter(rejects.read_bytes().split(b"\n")[:-1])
        odd = sum((told - Counter(bad)).values()) + sum((Counter(bad) - told).values())
        size = file.stat().st_size
    ratio = statistics.median(b / o for b, o in zip(bare, ours))
    document = {
        "title": "Inspecting a large file",
        "question": "Is a large file with bad lines inspected fast, in little memory, with every bad line named?",
        "what": f"{size / 1e9:.2f} GB of JSON lines ({lines:,}, made from HH training rows), {len(bad):,} of them bad, through "
        f"`plaudit inspect --json --rejects` against a bare json.loads loop, in turn, median of {ROUNDS}; "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.",
        "bars": [
            {"name": "speed over the json.loads loop's", "bar": "at least 1/12", "value": ratio, "at_least": 1 / 12},
            {"name": "peak memory, MB", "bar": "under 300", "value": max(memory), "at_most": 300},
            {"name": "bad lines not reported exactly once", "bar": "none", "value": odd, "equals": 0},
            {"name": "file size, GB", "bar": "1", "value": round(size / 1e9, 3), "at_least": 1.0},
        ],
        "tables": [{"title": "rounds", "columns": ["json.loads, s", "inspect, s", "ratio"],
                    "rows": [[b, o, b / o] for b, o in zip(bare, ours)]}],
        "notes": ["The lines of the rejects file are compared with the bad lines, each as often as it stands there."],
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
