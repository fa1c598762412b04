"""Is tokenising worth a cache? Its time beside one scoring pass of the smallest embedded model over the same texts.

PLAUDIT_DATA=... python benchmarks/tokenise.py [--pairs 400] [--repeats 3]
"""

import argparse
import statistics

from harness import alternate, data_folder, machine, write
from plaudit.data.read import read
from plaudit.models.backbone import load_backbone
from plaudit.models.score import ModelScorer, scores
from plaudit.models.tokens import encode_all
from plaudit.records import Preference

SETS = {"HH helpful": "hh/helpful-base/train.jsonl.gz", "TL;DR": "tldr/train.parquet"}


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--pairs", type=int, default=400)
    ask.add_argument("--repeats", type=int, default=3)
    args = ask.parse_args()
    scorer = ModelScorer(load_backbone("minilm-l6", max_length=512), dtype="float32", budget=4096)
    rows, bars = [], []
    for name, file in SETS.items():
        found = [p for row in read(str(data_folder() / file)) for p in row.records if isinstance(p, Preference)]
        kept = found[: args.pairs]
        encoded = encode_all(kept, scorer.loaded.policy)
        fit = [e for e in encoded if not e.refused]
        taken = alternate(
            {
                "tokenise": lambda kept=kept: encode_all(kept, scorer.loaded.policy),
                "score": lambda fit=fit: scores(scorer.reader, fit, budget=scorer.budget),
            },
            repeats=args.repeats,
        )
        share = statistics.median(a / b for a, b in zip(taken["tokenise"], taken["score"], strict=True))
        rows.append([name, len(kept), sum(e.longest for e in fit), share])
        bars.append({"name": f"{name}: tokenising over scoring with minilm-l6", "bar": "under 5 %", "value": share,
                     "at_most": 0.05})  # fmt: skip
    where = machine()
    write("tokenise", {
        "title": "Tokenising", "question": "Is tokenising so slow that its ids should be kept on disk?",
        "what": f"The first {args.pairs} pairs of each file, tokenised by the minilm-l6 policy and scored by it (fp32), in "
        f"turn, median of {args.repeats}; {where['threads']} threads on {where['cores']} cores, torch {where['torch']}.",
        "bars": bars,
        "tables": [{"title": "share of a scoring pass", "columns": ["file", "pairs", "longest sides, tokens", "share"],
                    "rows": rows}],
        "notes": ["minilm-l6 is the fastest embedded model: with any other the share is smaller."],
    })  # fmt: skip


if __name__ == "__main__":
    main()
