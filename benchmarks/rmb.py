"""RMB graded against other people's numbers: ArmoRM's stored scores, three toy scorers, random on lists.

PLAUDIT_DATA=... python benchmarks/rmb.py
"""

import json
import re
from hashlib import sha256

import numpy as np

from harness import data_folder, write
from plaudit.evaluation.evaluate import evaluate
from plaudit.evaluation.suites import rmb
from plaudit.evaluation.suites._files import is_withheld


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


TOYS = {
    "L": lambda p, r: len(r[-1].text),
    "H": lambda p, r: int(sha256(r[-1].text.encode()).hexdigest()[:8], 16),
    "O": lambda p, r: len(words("\n".join(m.text for m in p.prompt)) & words(r[-1].text)),
}
BLOCKS = {
    "BoN_set/Harmlessness": "lists/harmlessness", "BoN_set/Helpfulness": "lists/helpfulness",
    "Pairwise_set/Harmlessness": "pairs/harmlessness", "Pairwise_set/Helpfulness": "pairs/helpfulness",
}  # fmt: skip


def main() -> None:
    folder = data_folder() / "suites"
    expected = json.loads((folder / "expected_values.json").read_text())["toy"]["rmb"]
    items = rmb.load(folder)
    shown = [p for p in items if not is_withheld(p)]
    bars, rows = [], []
    for toy, rule in TOYS.items():
        found = rmb.measure(shown, [np.array([rule(p, r) for r in p.responses], float) for p in shown])
        for name, block in BLOCKS.items():
            here = found.section(block)
            right, n = int(found.credit[here].sum()), int(here.sum())
            rows.append(
                [f"{toy}, {block}", f"{right:,} / {n:,}", f"{expected[toy][name][1]:,} / {expected[toy][name][0]:,}"]
            )
            bars.append(
                {
                    "name": f"toy {toy}, {block}: rows right",
                    "bar": f"{expected[toy][name][1]:,} exactly",
                    "value": right,
                    "equals": expected[toy][name][1],
                }
            )
        overall = round(100 * rmb.combine(found)["overall"], 4)
        bars.append(
            {
                "name": f"toy {toy}: mean of four, %",
                "bar": f"{expected[toy]['overall']} exactly",
                "value": overall,
                "equals": expected[toy]["overall"],
            }
        )
    chance = rmb.combine(rmb.measure(items, [np.zeros(len(p.responses)) for p in items]).at_random())
    for block, want in (("lists/harmlessness", 31.22), ("lists/helpfulness", 30.90), ("overall", 40.53)):
        bars.append(
            {
                "name": f"random, {block}, %",
                "bar": f"{want} exactly",
                "value": round(100 * chance[block], 2),
                "equals": want,
            }
        )
    stored = evaluate(None, scores=folder / "rmb/eval/result/ArmoRM-Llama3-8B-v0.1_result.json.gz", suite="rmb")
    line = next(r for r in stored.results if r.name.endswith("Idea Development"))
    for name, value, want in (
        ("rows right of 849", round(line.score * line.n), 675),
        ("exact ties", round(line.ties * line.n), 12),
    ):
        bars.append(
            {"name": f"ArmoRM's stored scores: {name}", "bar": f"{want} exactly", "value": value, "equals": want}
        )
    write("rmb", {
        "title": "RMB, against other people's numbers",
        "question": "Does the RMB suite give the numbers that others publish and compute?",
        "what": f"{len(items):,} rows of 20,917 (three pair files are absent), of which {len(shown):,} hold texts; stored scores of "
        "ArmoRM on one scenario; three toy scorers (response length, hash of the response, words in common with the prompt).",
        "bars": bars,
        "tables": [{"title": "toy scorers", "columns": ["scorer, block", "plaudit", "expected"], "rows": rows}],
    })  # fmt: skip


if __name__ == "__main__":
    main()
