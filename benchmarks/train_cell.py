"""One timed training in a process of its own, so that its peak memory is its own: `train_speed` starts these.

    python benchmarks/train_cell.py '{"side": "ours", ...}'        # prints one JSON line last

Both sides start from the same checkpoint folder and the same JSON lines of pairs, take the same number of optimiser
steps of the same size with AdamW, learning rate 1e-4 falling linearly, gradients clipped at 1. A short training of
other pairs, with an optimiser of its own, warms the process; then the clock runs from before the first batch is
collated to after the last optimiser step.
"""

import gc
import json
import sys
import tempfile
import time
import warnings
from typing import Any

import torch

from harness import peak, peak_memory

RATE = 1e-4

# ours


def ours(cell: dict[str, Any]) -> dict[str, Any]:
    from our_training import staged, timed
    from plaudit.training.options import TrainOptions

    options = TrainOptions(
        epochs=1, batch_size=cell["step"], learning_rate=RATE, warmup_ratio=0, lr_scheduler_type="linear",
        dtype=cell["dtype"], gradient_checkpointing=cell["checkpointing"], held_out=0, device="cpu",
    )  # fmt: skip
    timed(staged(cell["folder"], cell["warm"], options))
    gc.collect()
    return timed(staged(cell["folder"], cell["pairs"], options), profiled=cell.get("profile", False))


# TRL


def trl_rows(pairs: str, tokenizer, by_length: bool):
    """The pairs as TRL's conversational rows, in data order or the longest first."""
    from datasets import Dataset

    from plaudit.data.read import read

    rows = []
    for p in (p for row in read([pairs]) for p in row.records):
        texts = [[{"role": m.role, "content": m.text} for m in (*p.prompt, *r)] for r in p.responses]
        best = min(range(2), key=p.ranks.__getitem__)
        rows.append({"chosen": texts[best], "rejected": texts[1 - best]})
    if by_length:
        size = lambda r: max(len(tokenizer.apply_chat_template(r[k])["input_ids"]) for k in r)  # noqa: E731
        rows.sort(key=size, reverse=True)
    return Dataset.from_list(rows)


def trl_trainer(model, tokenizer, rows, cell: dict[str, Any]):
    """TRL's RewardTrainer with its defaults, but for what the cell says."""
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(
        output_dir=tempfile.mkdtemp(), num_train_epochs=1, per_device_train_batch_size=cell["batch"],
        gradient_accumulation_steps=max(cell["step"] // cell["batch"], 1), bf16=cell["dtype"] == "bfloat16",
        gradient_checkpointing=cell["checkpointing"], learning_rate=RATE, max_grad_norm=1.0, report_to="none",
        save_strategy="no", use_cpu=True, disable_tqdm=True, logging_steps=1,
        train_sampling_strategy="sequential" if cell["by_length"] else "random",
    )  # fmt: skip
    return RewardTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)


def trl(cell: dict[str, Any]) -> dict[str, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

    class Clock(TrainerCallback):
        start = stop = 0.0

        def on_train_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.stop = time.perf_counter()

    tokenizer = AutoTokenizer.from_pretrained(cell["folder"])
    model = AutoModelForSequenceClassification.from_pretrained(cell["folder"], dtype=torch.float32)
    warm = trl_trainer(model, tokenizer, trl_rows(cell["warm"], tokenizer, False), cell)
    warm.train()
    del warm
    gc.collect()
    model.load_state_dict(AutoModelForSequenceClassification.from_pretrained(cell["folder"]).state_dict())
    rows = trl_rows(cell["pairs"], tokenizer, cell["by_length"])
    trainer = trl_trainer(model, tokenizer, rows, cell)
    clock, slots, collate = Clock(), [], trainer.data_collator
    trainer.add_callback(clock)

    def counted(examples):
        batch = collate(examples)
        slots.append(batch["input_ids"].numel())
        return batch

    trainer.data_collator = counted
    trainer.train()
    losses = [float(line["loss"]) for line in trainer.state.log_history if "loss" in line]
    return {
        "seconds": clock.stop - clock.start, "slots": sum(slots), "losses": losses, "steps": trainer.state.global_step,
        "kept": len(trainer.train_dataset), "dropped": len(rows) - len(trainer.train_dataset),
    }  # fmt: skip


def rate(cell: dict[str, Any]) -> dict[str, Any]:
    return {"gflops": peak(getattr(torch, cell["dtype"]), seconds=6.0)}


def main() -> None:
    warnings.simplefilter("ignore")
    cell = json.loads(sys.argv[1])
    found = {"ours": ours, "trl": trl, "peak": rate}[cell["side"]](cell)
    print(json.dumps({**found, "bytes": peak_memory(), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
