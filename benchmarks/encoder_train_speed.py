"""Training speed of an encoder, which has no prompt to share: minilm-l6 against padded batches of plain transformers.

    PLAUDIT_DATA=... python benchmarks/encoder_train_speed.py [--pairs 96] [--repeats 3] [--model minilm-l6]

The rival is the loop that most people write: right-padded batches of pairs, SDPA attention, the same loss, optimiser and
clipping, gradients accumulated to the same number of pairs in each step. All in one process, fp32. The grid is taken
once, then plaudit, the padded batch of 8 pairs in data order and the best padded cell in turn.
"""

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from harness import alternate, data_folder, machine, ratio, write
from our_training import staged, timed
from plaudit.data.read import read
from plaudit.models.backbone import load_backbone
from plaudit.models.tokens import encode_all
from plaudit.seeds import order
from plaudit.training.options import TrainOptions
from score_speed import BATCHES, trained_head

STEP = 16  # pairs in one optimiser step, on both sides
RATE = 2e-5
OURS, RIVAL = "plaudit", "8 pairs, data order"


def picked(model: str, count: int) -> list[bytes]:
    """Lines of the first HH helpful training pairs that fit 512 tokens."""
    policy = load_backbone(model, seed=0).policy
    rows = [row for row in read(data_folder() / "hh/helpful-base/train.jsonl.gz") if row.records][: 3 * count]
    encoded = encode_all([row.records[0] for row in rows], policy)
    fit = [r.raw for r, e in zip(rows, encoded) if not e.refused and not e.dropped_tokens and e.longest <= 512]
    return fit[:count]


def options() -> TrainOptions:
    return TrainOptions(
        epochs=1, batch_size=STEP, learning_rate=RATE, warmup_ratio=0, lr_scheduler_type="constant", held_out=0,
        device="cpu",
    )  # fmt: skip


class Padded:
    """A plain loop over right-padded batches of pairs."""

    def __init__(self, stage) -> None:
        self.model = copy.deepcopy(stage.loaded.model)
        self.model.set_attn_implementation("sdpa")
        self.start = copy.deepcopy(self.model.state_dict())
        self.pad = self.model.config.pad_token_id
        part = stage.prepared.train
        best = [min(range(2), key=p.ranks.__getitem__) for p in part.preferences]
        self.pairs = [(e.full(b), e.full(1 - b)) for e, b in zip(part.encoded, best)]
        self.order = order(len(self.pairs), 0, 0).tolist()

    def micro(self, size: int, by_length: bool) -> list[list[list[int]]]:
        """Rows of every micro-batch of every step; sorted: over all pairs, then cut into steps."""
        longest = [max(map(len, pair)) for pair in self.pairs]
        rows = sorted(self.order, key=longest.__getitem__) if by_length else self.order
        steps = [rows[i : i + STEP] for i in range(0, len(rows), STEP)]
        return [[s[i : i + size] for i in range(0, len(s), size)] for s in steps]

    def ids(self, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Chosen sequences, then rejected ones, and their mask."""
        seqs = [torch.as_tensor(self.pairs[i][side].astype(np.int64)) for side in (0, 1) for i in rows]
        ids = torch.nn.utils.rnn.pad_sequence(seqs, batch_first=True, padding_value=self.pad)
        lengths = torch.tensor([len(s) for s in seqs])
        return ids, (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()

    def train(self, size: int, by_length: bool) -> list[float]:
        """One epoch from the initial weights; the loss of every step."""
        self.model.load_state_dict(self.start)
        self.model.train()
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
        losses = []
        for step in self.micro(size, by_length):
            n, total = sum(map(len, step)), 0.0
            for rows in step:
                ids, mask = self.ids(rows)
                scores = self.model(input_ids=ids, attention_mask=mask).logits[:, 0]
                loss = -logsigmoid(scores[: len(rows)] - scores[len(rows) :]).sum() / n
                loss.backward()
                total += float(loss.detach())
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(total)
        return losses

    def slots(self, size: int, by_length: bool) -> int:
        longest = [max(map(len, pair)) for pair in self.pairs]
        return sum(2 * len(rows) * max(longest[i] for i in rows) for s in self.micro(size, by_length) for rows in s)


def measure(model: str, count: int, repeats: int) -> dict[str, Any]:
    folder, lines = trained_head(model), picked(model, count)
    file = Path(tempfile.mkdtemp()) / "pairs.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    stage = staged(folder, file, options())
    start = copy.deepcopy(stage.reader.state_dict())
    padded = Padded(stage)
    ours: list[dict[str, Any]] = []

    def train() -> None:
        stage.reader.load_state_dict(start)
        stage.optimizer.state.clear()
        ours.append(timed(stage))

    cells = {f"{b} pairs, {o}": (b, o == "sorted") for b in BATCHES for o in ("data order", "sorted")}
    run = {OURS: train} | {n: (lambda c=c: padded.train(*c)) for n, c in cells.items()}
    train()  # warm
    theirs = padded.train(8, False)
    grid = alternate(run, repeats=1)
    best = min(cells, key=lambda n: grid[n][0])
    taken = alternate({n: run[n] for n in dict.fromkeys([OURS, RIVAL, best])}, repeats=repeats)
    own = ours[0]["slots"]
    return {
        "pairs": len(padded.pairs), "steps": ours[0]["steps"], "tokens": own, "best": best,
        "default": ratio(taken[RIVAL], taken[OURS]), "against_best": ratio(taken[best], taken[OURS]),
        "losses": max(abs(a - b) for a, b in zip(ours[0]["losses"], theirs, strict=True)),
        "rows": [[OURS, 1.0, 1.0]] + [[n, padded.slots(*c) / own, grid[n][0] / grid[OURS][0]] for n, c in cells.items()],
        "kinds": timed(stage, profiled=True)["kinds"],
    }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    ask.add_argument("--pairs", type=int, default=96)
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--model", default="minilm-l6")
    args = ask.parse_args()
    where = machine()
    found = measure(args.model, args.pairs, args.repeats)
    write("encoder_train_speed", {
        "title": f"Training speed of an encoder, {args.model}",
        "question": "How much faster is training without padding when there is no prompt to share?",
        "what": f"{found['pairs']} HH helpful-base training pairs that fit 512 tokens, {found['tokens']:,} tokens, full fine-tune "
        f"in fp32, {found['steps']} steps of {STEP} pairs, AdamW, clipping at 1, no dropout; {where['threads']} threads on "
        f"{where['cores']} cores, torch {where['torch']}; grid once, deciding cells in turn, median of {args.repeats}. A ratio "
        "is padded time over plaudit's; a slot ratio is padded slots over tokens.",
        "bars": [
            {"name": "against padded batches of 8 pairs in data order", "bar": "at least 1.8x", "value": found["default"]["median"], "at_least": 1.8},
            {"name": "against the best padded cell", "bar": "at least 0.95", "value": found["against_best"]["median"], "at_least": 0.95},
            {"name": "step losses equal to the padded loop's in the same order", "bar": "within 1e-3", "value": found["losses"], "at_most": 1e-3},
        ],
        "tables": [
            {"title": "all cells", "columns": ["cell", "slot ratio", "time ratio"], "rows": found["rows"]},
            {"title": "deciding cells in turn", "columns": ["against", "median", "low", "high"], "rows": [
                [RIVAL, *found["default"].values()], [f"best padded cell ({found['best']})", *found["against_best"].values()]]},
            {"title": "where plaudit's time goes", "columns": ["work", "share"], "rows": found["kinds"]},
        ],
        "notes": [
            "A cell's pairs are the rows of one padded forward pass; gradients are accumulated to a step of "
            f"{STEP} pairs on both sides. Sorted takes all pairs by length, which a real run would do within a window.",
            "plaudit trains in its own shuffled order; data order is the same order.",
        ],
    })  # fmt: skip


if __name__ == "__main__":
    main()
