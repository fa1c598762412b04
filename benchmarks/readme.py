"""Fill the README's excerpts from a real run: each ```text block shows what the command above it printed.

    python benchmarks/readme.py [--folder DIR]

Commands in ```sh run blocks are run in order in DIR (a new folder otherwise). `text tables=N` keeps the first N tables.
Takes as long as training takes, a few minutes on two cores.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(sh run|text)([^\n]*)\n(.*?)^```", re.M | re.S)


def printed(line: str, folder: Path) -> str:
    """Standard output of one `plaudit` command line, without blanks at the ends of lines."""
    words = shlex.split(line)
    assert words[0] == "plaudit", line
    print(f"$ {line}", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    return "\n".join(row.rstrip() for row in done.stdout.splitlines())


def tables(text: str, keep: int) -> str:
    """The first `keep` tables: a title at the left edge, then rows that begin with a blank."""
    parts: list[list[str]] = []
    for row in filter(None, text.splitlines()):
        if not row.startswith(" ") or not parts:
            parts.append([])
        parts[-1].append(row)
    return "\n\n".join("\n".join(part) for part in parts[:keep])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="plaudit-readme-"))
    folder.mkdir(parents=True, exist_ok=True)
    last = ""

    def fill(block: re.Match[str]) -> str:
        nonlocal last
        kind, marks, body = block.groups()
        if kind == "sh run":
            last = "\n".join(printed(line, folder) for line in body.splitlines())
            return block.group()
        keep = int(marks.partition("tables=")[2] or 9)
        return f"```text{marks}\n{tables(last, keep)}\n```"

    README.write_text(BLOCK.sub(fill, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
