"""Many answers to one prompt: token trees against padded batches and against transformers' own key/value reuse.

    PLAUDIT_DATA=... python benchmarks/candidates.py [--groups 4] [--repeats 3] [--model smollm2-135m]

Sixteen answers to a prompt of 300 tokens, once all of 60 tokens and once of 10 to 110 (the same sum). Every way scores
the same ids with the same weights in one process, group after group, and is held against one sequence at a time.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, DynamicCache

from harness import alternate, data_folder, machine, ratio, write
from plaudit.data.read import read
from plaudit.models.backbone import load_backbone
from plaudit.models.score import ModelScorer, scores
from plaudit.models.tokens import Encoded, encode_all
from score_speed import trained_head

PROMPT, ANSWERS, MEAN = 300, 16, 60
LENGTHS = {
    "equal": [MEAN] * ANSWERS,
    "unequal": [int(n) for n in np.linspace(10, 2 * MEAN - 10, ANSWERS).round()],
}
BATCHES = (1, 4, 8, 16)
OURS, CACHE = "plaudit", "key/value reuse, 16 answers"
Values = list[np.ndarray]


def groups(policy, count: int, lengths: list[int]) -> list[Encoded]:
    """Prompts and answers cut out of the ids of real conversations; no answer ends in padding."""
    rows = read(data_folder() / "hh/helpful-base/train.jsonl.gz")
    found = encode_all([p for _, row in zip(range(40 * count), rows) for p in row.records], policy)
    stream = np.concatenate([e.full(i) for e in found for i in range(len(e.responses))])
    stream = stream[stream != policy.pad_id] if policy.pad_id is not None else stream
    made, at = [], 0
    for i in range(count):
        parts = []
        for n in (PROMPT, *lengths):
            parts.append(stream[at : at + n].astype(np.int32))
            at += n
        made.append(Encoded(str(i), parts[0], tuple(parts[1:]), (PROMPT,), tuple(PROMPT + n - 1 for n in lengths)))
    assert at <= len(stream), "not enough text for so many groups"
    return made


def padded_rows(rows: list[np.ndarray], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids and their mask."""
    tensors = [torch.as_tensor(r.astype(np.int64)) for r in rows]
    ids = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(r) for r in rows])
    return ids, (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()


class Plain:
    """transformers' sequence classifier with SDPA attention, the whole model in the precision asked for."""

    def __init__(self, folder: str, dtype: torch.dtype) -> None:
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval()
        self.pad = self.model.config.get_text_config().pad_token_id

    def batches(self, group: Encoded, size: int):
        """Answers in batches of like length."""
        order = np.argsort([len(r) for r in group.responses], kind="stable")
        return [order[i : i + size].tolist() for i in range(0, len(order), size)]

    @torch.no_grad()
    def whole(self, found: list[Encoded], size: int) -> Values:
        out = [np.zeros(ANSWERS, np.float32) for _ in found]
        for group, values in zip(found, out):
            for rows in self.batches(group, size):
                ids, mask = padded_rows([group.full(i) for i in rows], self.pad)
                values[rows] = self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float().numpy()
        return out

    @torch.no_grad()
    def reused(self, found: list[Encoded], size: int) -> Values:
        """The prompt once, its keys and values repeated for every batch of answers."""
        out = [np.zeros(ANSWERS, np.float32) for _ in found]
        for group, values in zip(found, out):
            prompt = torch.as_tensor(group.prompt.astype(np.int64))[None]
            known = self.model.model(input_ids=prompt, use_cache=True).past_key_values
            for rows in self.batches(group, size):
                cache = known if size >= ANSWERS else copied(known)
                cache.batch_repeat_interleave(len(rows))
                ids, mask = padded_rows([group.responses[i] for i in rows], self.pad)
                seen = torch.cat([torch.ones(len(rows), PROMPT, dtype=mask.dtype), mask], 1)
                logits = self.model(input_ids=ids, attention_mask=seen, past_key_values=cache, use_cache=True).logits
                values[rows] = logits[:, 0].float().numpy()
        return out


def copied(cache: DynamicCache) -> DynamicCache:
    fresh = DynamicCache()
    for i, layer in enumerate(cache.layers):
        fresh.update(layer.keys, layer.values, i)
    return fresh


def slots(group: Encoded, size: int, *, reuse: bool) -> int:
    """Tokens that a way computes for one group, padding included."""
    lengths = sorted(len(r) for r in group.responses)
    parts = [lengths[i : i + size] for i in range(0, ANSWERS, size)]
    prompt = 0 if reuse else PROMPT
    return (PROMPT if reuse else 0) + sum(len(p) * (prompt + max(p)) for p in parts)


def ways(folder: str, found: list[Encoded], dtype: str) -> tuple[dict[str, Callable[[], Values]], dict[str, int]]:
    """Every way by its name, and the tokens it computes for a group."""
    plain = Plain(folder, getattr(torch, dtype))
    scorer = ModelScorer(load_backbone(folder), dtype=dtype, budget=4096)
    run: dict[str, Callable[[], Values]] = {OURS: lambda: scores(scorer.reader, found, budget=4096, dtype=dtype)}
    computed = {OURS: PROMPT + sum(len(r) for r in found[0].responses)}
    for size in BATCHES:
        run[f"padded, {size} sequences"] = lambda n=size: plain.whole(found, n)
        computed[f"padded, {size} sequences"] = slots(found[0], size, reuse=False)
    for size in (16, 4):
        run[f"key/value reuse, {size} answers"] = lambda n=size: plain.reused(found, n)
        computed[f"key/value reuse, {size} answers"] = slots(found[0], size, reuse=True)
    return run, computed


def measure(folder: str, kind: str, dtype: str, count: int, repeats: int) -> dict[str, Any]:
    """One kind of lengths in one precision: all ways in turn."""
    found = groups(load_backbone(folder).policy, count, LENGTHS[kind])
    run, computed = ways(folder, found, dtype)
    first = {name: np.stack(one()) for name, one in run.items()}  # the warm-up, and the numbers to compare
    truth = first["padded, 1 sequences"]
    taken = alternate(run, repeats=repeats)
    middle = {n: float(np.median(t)) for n, t in taken.items()}
    padded = min((n for n in run if n.startswith("padded")), key=middle.__getitem__)
    off = {n: float((np.abs(v - truth) / np.maximum(1, np.abs(truth))).max()) for n, v in first.items()}
    return {
        "best": padded, "padded": ratio(taken[padded], taken[OURS]), "reuse": ratio(taken[CACHE], taken[OURS]),
        "deviation": off[OURS],
        "rows": [[n, computed[n] / computed[OURS], middle[n] / middle[OURS], off[n]] for n in run],
    }  # fmt: skip


def bars(found: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for d, short in (("float32", "fp32"), ("bfloat16", "bf16")):
        equal, unequal = found["equal", d], found["unequal", d]
        rows += [
            {
                "name": f"{short}, equal lengths: against the best padded cell",
                "bar": "at least 3.8x",
                "value": equal["padded"]["median"],
                "at_least": 3.8,
            },
            {
                "name": f"{short}, equal lengths: against key/value reuse",
                "bar": "at least 0.95",
                "value": equal["reuse"]["median"],
                "at_least": 0.95,
            },
            {
                "name": f"{short}, unequal lengths: against key/value reuse",
                "bar": "faster",
                "value": unequal["reuse"]["median"],
                "at_least": 1.0,
            },
        ]
    off = max(found[k, "float32"]["deviation"] for k in LENGTHS)
    return [*rows, {"name": "fp32 equal to single sequences", "bar": "1e-5 of max(1, |score|)", "value": off, "at_most": 1e-5}]  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--groups", type=int, default=4)
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--model", default="smollm2-135m")
    args = ask.parse_args()
    where, folder = machine(), trained_head(args.model)
    found = {}
    for dtype in ("float32", "bfloat16"):
        for kind in LENGTHS:
            print(f"{dtype}, {kind}", flush=True)
            found[kind, dtype] = measure(folder, kind, dtype, args.groups, args.repeats)
    columns = ["way", "slot ratio", "time ratio", "largest deviation / max(1, |score|)"]
    write("candidates", {
        "title": "Sixteen answers to one prompt",
        "question": "What does a token tree save when many answers share a prompt, and against a key/value cache?",
        "what": f"{args.groups} groups of {ANSWERS} answers to a prompt of {PROMPT} tokens, ids of HH helpful-base text; answers of "
        f"{MEAN} tokens, or of {min(LENGTHS['unequal'])} to {max(LENGTHS['unequal'])}; {args.model}, {where['threads']} threads on "
        f"{where['cores']} cores, torch {where['torch']}; all ways in turn, median of {args.repeats}. A ratio is the other's time "
        "over plaudit's; a slot ratio is tokens computed, padding included, over plaudit's.",
        "bars": bars(found),
        "tables": [{"title": f"{d}, {k} lengths", "columns": columns, "rows": f["rows"]} for (k, d), f in found.items()]
        + [{"title": "in turn: ratios with their range", "columns": ["precision", "lengths", "against", "median", "low", "high"], "rows": [
            row for (k, d), f in found.items() for row in (
                [d, k, f["best"], *f["padded"].values()], [d, k, CACHE, *f["reuse"].values()])]}],
        "notes": NOTES,
    })  # fmt: skip


NOTES = [
    "Padded batches and the batches of key/value reuse hold answers of like length; the bar is against one batch of all "
    "sixteen answers, the way transformers' own cache is meant to be used.",
    "bf16 in plaudit keeps residual stream, norms and head in fp32; the others hold the whole model in bf16. In bf16 "
    "the deviation is against single sequences of the whole bf16 model, which are rounded too.",
]

if __name__ == "__main__":
    main()
