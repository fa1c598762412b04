"""Is the text world hard enough, and not too hard? Writes world_calibration.json beside this file.

    python benchmarks/world_calibration.py [--epochs 2] [--seed 0] [--folder DIR]

Files come from `plaudit world`, models from `plaudit train`, numbers from `plaudit evaluate`; TF-IDF with logistic
regression is fitted here. The checkpoint is chosen on a third file, so that the held-out prompts judge only once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import write

BAR = (0.85, 0.93)
LENGTH_BAR = 0.60
SIZES = {"train": (4000, 0), "choose": (300, 2), "held_out": (2000, 1)}


def plaudit(*words: str) -> dict[str, Any]:
    """Run a command that prints one JSON document, and read it."""
    done = subprocess.run(
        [sys.executable, "-c", "from plaudit.cli import main; main()", *words, "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def worlds(folder: Path, preset: str) -> dict[str, str]:
    """The three files of that preset; nothing is made twice."""
    files = {}
    for role, (n, seed) in SIZES.items():
        path = folder / f"{preset}.{role}.jsonl"
        if not path.exists():
            plaudit("world", preset, "--output", str(path), "--n", str(n), "--seed", str(seed))
        files[role] = str(path)
    return files


def trained(files: dict[str, str], folder: Path, seed: int, *flags: str) -> dict[str, Any]:
    """Train minilm-l6 and evaluate it on the held-out prompts: one entry of `results`."""
    target = folder / ("model-" + "-".join([str(seed), *flags]).replace("--", ""))
    if not (target / "final").exists():
        plaudit("train", files["train"], "--model", "minilm-l6", "--output-dir", str(target), "--seed", str(seed),
                "--eval", files["choose"], *flags)  # fmt: skip
    return plaudit("evaluate", str(target / "final"), files["held_out"])["results"][0]


def tf_idf(files: dict[str, str]) -> float:
    """Accuracy of logistic regression (C = 1) on differences of TF-IDF vectors, words and pairs of words."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    def sides(path: str) -> list[list[str]]:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        return [[row[side][0]["content"] for row in rows] for side in ("chosen", "rejected")]

    better, worse = sides(files["train"])
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(better + worse)
    gaps = words.transform(better) - words.transform(worse)
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=500)
    model.fit(vstack([gaps, -gaps]), [1] * gaps.shape[0] + [0] * gaps.shape[0])
    better, worse = sides(files["held_out"])
    scores = model.decision_function(words.transform(better) - words.transform(worse))
    return float((scores > 0).mean())


def measure(folder: Path, seed: int, epochs: float) -> dict[str, Any]:
    """The measurement, as benchmarks/results.py reads it."""
    files = worlds(folder, "text-v1")
    full = trained(files, folder, seed, "--epochs", str(epochs), "--learning-rate", "1e-4")
    frozen = trained(files, folder, seed, "--tuning", "frozen", "--epochs", "5")
    bag = tf_idf(files)
    n, prompts = full["n"], full["groups"]
    rows = [
        ["minilm-l6, all weights", full["score"], full["low"], full["high"]],
        ["minilm-l6, head on a frozen trunk", frozen["score"], frozen["low"], frozen["high"]],
        ["TF-IDF logistic regression", bag, None, None],
        ["length only", full["length_only"], None, None],
        ["random", full["random"], None, None],
    ]
    return {
        "title": "How hard the text world is",
        "question": "Can a small encoder learn the text world's preferences, and can length alone not?",
        "what": f"text-v1: {SIZES['train'][0]:,} clean pairs (seed 0) to train on, {n:,} pairs of {prompts:,} other "
        f"prompts (seed 1) to judge; minilm-l6, {epochs:g} epochs, learning rate 1e-4, batches of 16, seed {seed}; the "
        f"checkpoint is chosen on {SIZES['choose'][0]} pairs of a third seed; CPU.",
        "bars": [
            {"name": "minilm-l6, low side", "bar": f"at least {BAR[0]}", "value": full["score"], "at_least": BAR[0]},
            {"name": "minilm-l6, high side", "bar": f"at most {BAR[1]}", "value": full["score"], "at_most": BAR[1]},
            {"name": "length only", "bar": "below 0.60", "value": full["length_only"], "at_most": LENGTH_BAR},
            {"name": "length only, turned round", "bar": "below 0.60", "value": 1 - full["length_only"],
             "at_most": LENGTH_BAR},
        ],
        "tables": [{"title": "Accuracy on held-out prompts", "columns": ["scorer", "accuracy", "low", "high"],
                    "rows": rows}],
        "notes": ["Length alone lands under one half because idle sentences cost a little gold."],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where files and models are kept; by default a temporary folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(folder, asked.seed, asked.epochs)
    write("world_calibration", found)
    for row in found["tables"][0]["rows"]:
        print(*row)


if __name__ == "__main__":
    main()
