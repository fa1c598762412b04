"""Writes docs/results.md from the measurements beside this file: every figure of the docs comes from one of them.

    python benchmarks/results.py            # write docs/results.md
    python benchmarks/results.py --check    # exit 1 when it is stale

One script per published figure, its JSON beside it under the same stem. A JSON holds

    {"title":    "Scoring with shared prompts",
     "question": "How much faster is scoring when each token is computed once?",
     "what":     "how it was measured: data, n, seeds, settings, machine in general words",
     "bars":     [{"name": "fp32 against padded batches of 8", "bar": "at least 3x", "value": 3.4, "at_least": 3.0}],
     "tables":   [{"title": "all cells", "columns": ["cell", "ratio"], "rows": [["8 pairs, sorted", 1.7]]}],
     "notes":    ["why a bar was missed and what was tried"]}

Remarks that a person makes stand in notes/NAME.md, one a line after "- ", and are printed below those of the script.
`title`, `question` and `what` are required. A bar has exactly one of `at_least`, `at_most` and `equals` (a number; the
value must be it exactly). Whether a bar is met is computed here and never stored; a `value` of null was not measured
and is printed so. A missed bar is printed as missed and must have a note. Files are taken in the order of their names.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "results.md"
BOUNDS = {"at_least": lambda v, b: v >= b, "at_most": lambda v, b: v <= b, "equals": lambda v, b: v == b}
KEYS = {"title", "question", "what", "bars", "tables", "notes", "parts"}  # parts: what a script reads again
VERDICTS = {True: "met", False: "**missed**", None: "not measured"}


def met(bar: dict[str, Any]) -> bool | None:
    """Whether a bar's value is within its bound; None when it was not measured.

    >>> met({"value": 2.9, "at_least": 3.0}), met({"value": 3, "equals": 3}), met({"value": None, "at_most": 1})
    (False, True, None)
    """
    bound = next(name for name in BOUNDS if name in bar)
    return None if bar["value"] is None else bool(BOUNDS[bound](bar["value"], bar[bound]))


def mistakes(found: Any) -> list[str]:
    """What is wrong with a measurement's JSON, in words; empty when it can be printed."""
    if not isinstance(found, dict):
        return ["is not an object"]
    wrong = [f"has no {key!r}" for key in ("title", "question", "what") if not isinstance(found.get(key), str)]
    wrong += [f"has an unknown key {key!r}" for key in sorted(set(found) - KEYS)]
    for bar in found.get("bars", []):
        name = bar.get("name", "a bar")
        wrong += [f"{name}: has no {key!r}" for key in ("name", "bar", "value") if key not in bar]
        if sum(bound in bar for bound in BOUNDS) != 1:
            wrong.append(f"{name}: needs exactly one of {', '.join(BOUNDS)}")
        elif not all(_is_number(bar.get(k)) for k in ("value", *BOUNDS) if bar.get(k) is not None):
            wrong.append(f"{name}: value and bound are finite numbers")
        elif "value" in bar and met(bar) is False and not found.get("notes"):
            wrong.append(f"{name}: is missed and no note says why")
        if "met" in bar:
            wrong.append(f"{name}: 'met' is computed, not stored")
    for table in found.get("tables", []):
        if any(len(row) != len(table["columns"]) for row in table["rows"]):
            wrong.append(f"{table['title']}: a row has not as many cells as there are columns")
    return wrong


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def cell(value: Any) -> str:
    """A table cell: numbers short, texts without anything that Markdown or HTML would obey.

    >>> cell(0.123456), cell(12345), cell(None), cell("a|b")
    ('0.1235', '12,345', '-', 'a\\\\|b')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def grid(columns: list[str], rows: list[list[Any]]) -> list[str]:
    """A Markdown table; columns that hold only numbers are set to the right."""
    right = [bool(rows) and all(_is_number(r[i]) or r[i] is None for r in rows) for i in range(len(columns))]
    head = "| " + " | ".join(map(cell, columns)) + " |"
    return [head, "|" + "|".join("---:" if r else "---" for r in right) + "|"] + [
        "| " + " | ".join(map(cell, row)) + " |" for row in rows
    ]


def section(name: str, found: dict[str, Any]) -> list[str]:
    """One measurement as Markdown lines."""
    out = [f"## {cell(found['title'])}", "", f"*{cell(found['question'])}*", "", found["what"], ""]
    if found.get("bars"):
        rows = [
            f"| {cell(b['name'])} | {cell(b['bar'])} | {cell(b['value'])} | {VERDICTS[met(b)]} |" for b in found["bars"]
        ]
        out += ["| what | bar | measured | |", "|---|---|---:|---|", *rows, ""]
    for table in found.get("tables", []):
        out += [f"**{cell(table['title'])}**", "", *grid(table["columns"], table["rows"]), ""]
    if found.get("notes"):
        out += [*(f"- {note}" for note in found["notes"]), ""]
    return [*out, f"Measured by `benchmarks/{name}.py`; numbers in `benchmarks/{name}.json`.", ""]


def remarks(folder: Path, name: str) -> list[str]:
    """What people noted about a measurement, from notes/NAME.md."""
    path = folder / "notes" / f"{name}.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


def unmeasured(folder: Path) -> list[tuple[str, str]]:
    """Scripts that would publish a measurement and have not done so: name, and what they are about."""
    out = []
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        publishes = any(line.startswith("from harness import") and " write" in line for line in text.splitlines())
        if publishes and "def main()" in text and not path.with_suffix(".json").exists():
            out.append((path.stem, text.removeprefix('"""').split("\n", 1)[0].rstrip('"')))
    return out


def page(folder: Path) -> str:
    """The whole page for a folder of measurements.

    Raises:
        ValueError: a file is no measurement; every mistake of every file, one a line.
    """
    found, wrong = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            wrong.append(f"{path.name}: is not JSON: {error}")
            continue
        if isinstance(found[path.stem], dict) and (more := remarks(folder, path.stem)):
            found[path.stem]["notes"] = [*found[path.stem].get("notes", []), *more]
        wrong += [f"{path.name}: {what}" for what in mistakes(found[path.stem])]
    if wrong:
        raise ValueError("\n".join(wrong))
    verdicts = [met(bar) for one in found.values() for bar in one.get("bars", [])]
    out = ["# Results", "", "Written by `make bench` from the measurements in `benchmarks/`; do not edit.", ""]
    if not found:
        return "\n".join([*out, "Nothing has been measured yet."]) + "\n"
    counts = f"{verdicts.count(True)} met, {verdicts.count(False)} missed, {verdicts.count(None)} not measured."
    out += [f"{len(verdicts)} bars: {counts} A speed is always a ratio measured in one run.", ""]
    missed = [
        [o["title"], b["name"], b["bar"], b["value"]] for o in found.values() for b in o.get("bars", []) if not met(b)
    ]
    if missed:
        out += ["**Bars that are not met**", "", *grid(["section", "what", "bar", "measured"], missed), ""]
    if waiting := unmeasured(folder):
        rows = [[f"`benchmarks/{name}.py`", about] for name, about in waiting]
        out += ["**Not measured yet**", "", *grid(["script", "about"], rows), ""]
    for name, one in found.items():
        out += section(name, one)
    return "\n".join(out).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the page; 0 done, 1 stale, 2 a measurement cannot be printed."""
    try:
        text = page(FOLDER)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else None
    if "--check" in arguments:
        if current != text:
            print(f"{PAGE.name} is stale: run `make bench`", file=sys.stderr)
        return int(current != text)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
