"""How long the command line takes to answer: import, and help of every command.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

from harness import machine, write
from plaudit.cli import COMMANDS

HEAVY = ("torch", "numpy", "transformers", "pyarrow", "scipy")


def seconds(code: str, repeats: int = 7) -> list[float]:
    """Wall seconds of fresh interpreters running `code`."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    where = machine()
    importing = [
        float(subprocess.run([sys.executable, "-c", "import time; t = time.perf_counter(); import plaudit; print(time.perf_counter() - t)"],
                             check=True, capture_output=True, text=True).stdout) for _ in range(7)
    ]  # fmt: skip
    call = "from plaudit.cli import run; run({!r})"
    rows = [["plaudit --help", statistics.median(seconds(call.format(["--help"])))]]
    rows += [[f"plaudit {name} --help", statistics.median(seconds(call.format([name, "--help"])))] for name in COMMANDS]
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom plaudit.cli import run\nrun(['--help'])\nprint([m for m in {HEAVY!r} if m in sys.modules])"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    write("startup", {
        "title": "Start-up",
        "question": "How long until the command line answers?",
        "what": f"fresh interpreters, Python {where['python']}, median of 7; heavy modules loaded by `plaudit --help`: {loaded}.",
        "bars": [
            {"name": "import plaudit, seconds", "bar": "under 0.05 s", "value": statistics.median(importing), "at_most": 0.05},
            {"name": "plaudit --help, seconds", "bar": "under 0.3 s", "value": rows[0][1], "at_most": 0.3},
            {"name": "heavy modules loaded by --help", "bar": "none", "value": 0 if loaded == "[]" else 1, "equals": 0},
        ],
        "tables": [{"title": "help of every command", "columns": ["command", "seconds"], "rows": rows}],
    })  # fmt: skip


if __name__ == "__main__":
    main()
