"""The audit that docs/audit.md walks through: 7,415 real comparisons, the smallest embedded model, no option turned.

    PLAUDIT_DATA=... python benchmarks/tldr_walk.py [--output-dir D]

Writes tldr_walk.json; the report in D is what docs/pictures/render.py draws.
"""

import argparse
import json
import tempfile
from pathlib import Path

import plaudit
from harness import data_folder, machine, write


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--output-dir", type=Path)
    folder = ask.parse_args().output_dir or Path(tempfile.mkdtemp(prefix="plaudit-walk-")) / "audit"
    file = data_folder() / "tldr/train.parquet"
    if not (folder / "audit.json").exists():
        plaudit.audit([file], output_dir=folder, model="minilm-l6", max_length=512)
    found = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    total = sum(found["verdicts"].values())
    accuracy, length, checks = found["accuracy"], found["length"], found["data_checks"]
    write("tldr_walk", {
        "title": "An audit of TL;DR", "question": "What does one audit say of 7,415 human comparisons of summaries?",
        "what": f"`plaudit audit` on the TL;DR training comparisons ({found['rows']['audited']:,} of "
        f"{found['rows']['comparisons']:,} audited, {found['rows']['groups']:,} posts) with minilm-l6, sequences of up to 512 tokens, "
        f"every other option as it comes; intervals over posts; torch {machine()['torch']}.",
        "bars": [],
        "tables": [
            {"title": "verdicts", "columns": ["verdict", "comparisons", "share"],
             "rows": [[name, n, n / total] for name, n in found["verdicts"].items()]},
            {"title": "beside length", "columns": ["what", "value", "low", "high"],
             "rows": [["agrees with labels it never saw", *(accuracy[k] for k in ("score", "low", "high"))],
                      *([[k, v, None, None] for k, v in length.items() if isinstance(v, int | float)]),
                      ["members' votes correlate by", found["likeness"]["mean"], None, None]]},
            {"title": "by tenths", "columns": list(found["deciles"][0]), "rows": [list(d.values()) for d in found["deciles"]]},
            {"title": "checks and noise", "columns": ["what", "as audit.json has it"],
             "rows": [["noise", json.dumps(found["noise"])], *([k, json.dumps(v)[:400]] for k, v in checks.items())]},
        ],
        "notes": [],
    })  # fmt: skip


if __name__ == "__main__":
    main()
