"""Scoring speed: token trees against padded batches of plain transformers, the whole grid, both precisions.

    PLAUDIT_DATA=... python benchmarks/score_speed.py [--pairs 96] [--model smollm2-135m] [--dtypes float32,bfloat16]

Every cell scores the same pairs with the same weights in one process. The whole grid is the first turn; then plaudit,
the padded batch of 8 pairs in data order and the best padded cell are taken in turn twice more: those give the ratios.
A finished precision is kept in `--cache`, so that a stopped run goes on; a precision that was not run has null bars.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForSequenceClassification

from harness import alternate, data_folder, machine, peak, ratio, write
from plaudit.data.read import read
from plaudit.models.backbone import load_backbone
from plaudit.models.score import ModelScorer, scores
from plaudit.models.tokens import encode_all
from plaudit.models.trees.plan import plan

BATCHES = (1, 2, 4, 8, 16)


def pairs(policy, count: int):
    """The first `count` HH helpful training pairs whose sequences fit 512 tokens, encoded."""
    rows = read(data_folder() / "hh/helpful-base/train.jsonl.gz")
    found = encode_all([p for row in rows for p in row.records][: 4 * count], policy)
    return [e for e in found if not e.too_long and not e.dropped_tokens][:count]


class Padded:
    """Plain transformers: right-padded batches of pairs, SDPA attention, the model in the precision asked for."""

    def __init__(self, folder: str, dtype: torch.dtype) -> None:
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval()
        self.pad = self.model.config.get_text_config().pad_token_id

    @torch.no_grad()
    def score(self, encoded, size: int, by_length: bool) -> np.ndarray:
        longest = [max(len(e.full(0)), len(e.full(1))) for e in encoded]
        order = sorted(range(len(encoded)), key=longest.__getitem__) if by_length else range(len(encoded))
        out = np.zeros((len(encoded), 2), np.float32)
        order = list(order)
        for at in range(0, len(order), size):
            group = order[at : at + size]
            rows = [torch.as_tensor(encoded[i].full(j).astype(np.int64)) for i in group for j in (0, 1)]
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad)
            lengths = torch.tensor([len(r) for r in rows])
            mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
            out[group] = self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float().view(-1, 2).numpy()
        return out

    def slots(self, encoded, size: int, by_length: bool) -> int:
        longest = [max(len(e.full(0)), len(e.full(1))) for e in encoded]
        order = sorted(longest) if by_length else longest
        return sum(2 * len(order[i : i + size]) * max(order[i : i + size]) for i in range(0, len(order), size))


def measure(folder: str, encoded, dtype: str, repeats: int) -> dict:
    """One precision: the grid once, the deciding cells in turn."""
    padded = Padded(folder, getattr(torch, dtype))
    scorer = ModelScorer(load_backbone(folder), dtype=dtype, budget=4096)
    ours = lambda: np.stack(scores(scorer.reader, encoded, budget=scorer.budget, dtype=dtype))  # noqa: E731
    tree_tokens = sum(len(t.tokens) - t.padding for t in plan(encoded, budget=4096))
    cells = {f"{b} pairs, {o}": (b, o == "sorted") for b in BATCHES for o in ("data order", "sorted")}
    warm = encoded[:4]
    padded.score(warm, 4, False)
    scores(scorer.reader, warm, dtype=dtype)
    grid = alternate(
        {"plaudit": ours} | {n: (lambda c=c: padded.score(encoded, *c)) for n, c in cells.items()}, repeats=1
    )
    best = min(cells, key=lambda n: grid[n][0])
    deciding = dict.fromkeys(["8 pairs, data order", best])
    more = alternate(
        {"plaudit": ours} | {n: (lambda c=cells[n]: padded.score(encoded, *c)) for n in deciding}, repeats=repeats - 1
    )
    turns = {n: grid[n] + more[n] for n in more}
    a, b = ours(), padded.score(encoded, 1, False)
    rows = [["plaudit", 1.0, 1.0]] + [
        [n, padded.slots(encoded, *c) / tree_tokens, grid[n][0] / grid["plaudit"][0]] for n, c in cells.items()
    ]
    flops = 2 * body(padded.model) * tree_tokens
    top = peak(getattr(torch, dtype))
    return {
        "best": best, "rows": rows, "tree_tokens": tree_tokens,
        "default": ratio(turns["8 pairs, data order"], turns["plaudit"]), "against_best": ratio(turns[best], turns["plaudit"]),
        "deviation": float((np.abs(a - b) / np.maximum(1, np.abs(b))).max()),
        "sign": float(np.mean(np.sign(a[:, 0] - a[:, 1]) == np.sign(b[:, 0] - b[:, 1]))),
        "margin_error": float(np.sqrt(np.mean(((a[:, 0] - a[:, 1]) - (b[:, 0] - b[:, 1])) ** 2))),
        "margin_spread": float(np.std(b[:, 0] - b[:, 1])), "reference": b.tolist(),
        "peak_share": flops / statistics.median(turns["plaudit"]) / 1e9 / top, "scores": a.tolist(), "profile": profiled(ours),
    }  # fmt: skip


def body(model) -> int:
    """Parameters in the matrices of the trunk's layers: those that every token is multiplied with."""
    return sum(p.numel() for n, p in model.base_model.named_parameters() if p.ndim == 2 and "embed" not in n)


def profiled(run) -> list[list]:
    """Share of the time by kind of work, from PyTorch's profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        run()
    events = [(e.key, e.self_cpu_time_total) for e in found.key_averages()]
    total = sum(t for _, t in events)
    kinds = {
        "matrix products of the layers": ("aten::mm", "aten::addmm"),
        "attention": ("aten::bmm", "aten::baddbmm", "aten::_softmax"),
    }
    rows, rest = [], 1.0
    for name, keys in kinds.items():
        share = sum(t for k, t in events if k in keys) / total
        rows.append([name, share])
        rest -= share
    return [*rows, ["everything else (norms, rotary, activations, copies)", rest]]


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--pairs", type=int, default=96)
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--model", default="smollm2-135m")
    ask.add_argument("--name", default="score_speed")
    ask.add_argument("--dtypes", default="float32,bfloat16")
    ask.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "plaudit-score-speed")
    args = ask.parse_args()
    folder = trained_head(args.model)
    encoded = pairs(load_backbone(folder).policy, args.pairs)
    where = machine()
    found = {}
    for dtype in args.dtypes.split(","):
        kept = args.cache / f"{args.name} {args.pairs} {args.repeats} {dtype}.json"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(measure(folder, encoded, dtype, args.repeats)))
        found[dtype] = json.loads(kept.read_text())
    bars = decoder_bars(found) if args.model == "smollm2-135m" else encoder_bars(found)
    full = sum(len(e.full(i)) for e in encoded for i in (0, 1))
    write(args.name, {
        "title": f"Scoring speed, {args.model}",
        "question": "How much faster is scoring when each token is computed once and nothing is padded?",
        "what": f"{len(encoded)} HH helpful-base training pairs that fit 512 tokens, {args.model} with its own template; "
        f"{full:,} tokens as sequences, {next(iter(found.values()))['tree_tokens']:,} as trees; {where['threads']} threads on "
        f"{where['cores']} cores, torch {where['torch']}; all cells in turn once, deciding cells {args.repeats} times, medians. "
        "A ratio is padded time over plaudit's; a slot ratio is padded slots over tree tokens.",
        "bars": bars,
        "tables": [
            {"title": f"{dtype}: all cells", "columns": ["cell", "slot ratio", "time ratio"], "rows": found[dtype]["rows"]}
            for dtype in found
        ] + [
            {"title": f"{dtype}: deciding cells", "columns": ["against", "median", "low", "high"], "rows": [
                ["8 pairs, data order", *found[dtype]["default"].values()],
                [f"best padded cell ({found[dtype]['best']})", *found[dtype]["against_best"].values()]]} for dtype in found
        ] + [
            {"title": f"{dtype}: where plaudit's time goes", "columns": ["work", "share"], "rows": found[dtype]["profile"]}
            for dtype in found
        ] + [{"title": "agreement with single sequences of the same precision", "columns": [
            "precision", "largest deviation / max(1, |score|)", "sign agreement of pairs", "margin error (rms)", "margin spread"],
            "rows": [[d, f["deviation"], f["sign"], f["margin_error"], f["margin_spread"]] for d, f in found.items()]
            + ([["bfloat16 against float32 sequences", *across(found)]] if len(found) == 2 else [])}],
        "notes": NOTES,
    })  # fmt: skip


def across(found) -> list[float]:
    """Our bfloat16 scores against single float32 sequences."""
    a, b = np.array(found["bfloat16"]["scores"]), np.array(found["float32"]["reference"])
    da, db = a[:, 0] - a[:, 1], b[:, 0] - b[:, 1]
    deviation = float((np.abs(a - b) / np.maximum(1, np.abs(b))).max())
    return [
        deviation,
        float(np.mean(np.sign(da) == np.sign(db))),
        float(np.sqrt(np.mean((da - db) ** 2))),
        float(np.std(db)),
    ]


def bar(found: dict, dtype: str, key: str, name: str, text: str, **bound: float) -> dict:
    """One bar; its value is null when that precision was not run."""
    value = found[dtype][key] if dtype in found else None
    return {"name": name, "bar": text, "value": value["median"] if isinstance(value, dict) else value, **bound}


def decoder_bars(found: dict) -> list[dict]:
    rows = []
    for dtype, short, default, best in (("float32", "fp32", 3.0, 1.5), ("bfloat16", "bf16", 3.5, 1.8)):
        rows.append(
            bar(
                found,
                dtype,
                "default",
                f"{short} against padded batches of 8 pairs in data order",
                f"at least {default}x",
                at_least=default,
            )
        )
        rows.append(
            bar(
                found,
                dtype,
                "against_best",
                f"{short} against the best padded cell",
                f"at least {best}x",
                at_least=best,
            )
        )
    rows.append(
        bar(found, "float32", "deviation", "fp32 equal to single sequences", "1e-5 of max(1, |score|)", at_most=1e-5)
    )
    rows.append(
        bar(
            found,
            "float32",
            "peak_share",
            "share of the fp32 matmul peak measured in the same run",
            "at least 70 %",
            at_least=0.7,
        )
    )
    return rows


def encoder_bars(found: dict) -> list[dict]:
    return [
        bar(found, "float32", "default", "fp32 against padded batches of 8 pairs in data order", "at least 1.8x", at_least=1.8),
        bar(found, "float32", "against_best", "fp32 against the best padded cell", "at least 0.95", at_least=0.95),
        bar(found, "float32", "deviation", "fp32 equal to single sequences", "1e-5 of max(1, |score|)", at_most=1e-5),
    ]  # fmt: skip


def trained_head(model: str) -> str:
    """A checkpoint folder of that model with a seeded head, so that both sides load the same numbers."""
    from plaudit.models import checkpoint

    loaded = load_backbone(model, seed=0)
    folder = Path(tempfile.mkdtemp()) / "checkpoint"
    folder.mkdir()
    checkpoint.save(folder, loaded.model, loaded.tokenizer, {})
    return str(folder)


NOTES = [
    "The head is random (seeded): scores spread little, which is the harsh case for sign agreement in bf16.",
    "bf16 in plaudit keeps residual stream, norms and head in fp32; the padded baseline holds the whole model in bf16.",
]

if __name__ == "__main__":
    main()
