"""Small runs of the real road, shared by the tests of training."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from plaudit.models.embedded import path as embedded_path
from plaudit.training.loop import train
from plaudit.training.options import TrainOptions

WORDS = ["rice", "water", "pot", "cover", "wait", "rinse", "measure", "salt", "heat", "stir", "plate", "serve"]


def phrase(i: int, n: int) -> str:
    return " ".join(WORDS[(i * 7 + k * (i % 5 + 1)) % len(WORDS)] for k in range(n))


def pairs(n: int, **columns) -> list[dict]:
    """Short preferences; a column may be a value or a function of the row's number."""
    rows = []
    for i in range(n):
        row = {"prompt": f"How do I {phrase(i, 3)} {i}?", "chosen": f"First {phrase(i, 4)}.",
               "rejected": f"Why {phrase(i + 3, 2 + i % 4)}?", "id": f"r{i}"}  # fmt: skip
        rows.append(row | {k: v(i) if callable(v) else v for k, v in columns.items()})
    return rows


def noise(n: int) -> list[dict]:
    """Preferences without any rule: what is learned does not carry over, and held-out loss turns up again."""
    swap = lambda r: r | {"chosen": r["rejected"], "rejected": r["chosen"]}  # noqa: E731
    return [swap(r) if i % 3 == 0 or i % 7 == 2 else r for i, r in enumerate(pairs(n))]


def write(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def lists(n: int) -> list[dict]:
    """Ranked lists of three, in NeMo-RL's form."""
    say = lambda role, text: {"role": role, "content": text}  # noqa: E731
    return [
        {"context": [say("user", f"How do I {phrase(i, 3)} {i}?")],
         "completions": [{"rank": k, "completion": [say("assistant", f"{phrase(i + k, 3)} {k}.")]} for k in range(3)]}
        for i in range(n)
    ]  # fmt: skip


def rated(n: int, value=lambda i: i % 2 == 0) -> list[dict]:
    """Single responses with a label, in TRL's unpaired form."""
    return [
        {"prompt": f"Is {phrase(i, 2)} {i} good?", "completion": f"{phrase(i, 3)}.", "label": value(i)}
        for i in range(n)
    ]


def dropping(folder):
    """`tiny` with a dropout of 0.1 in its configuration."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(embedded_path("tiny"))
    model.config.attention_dropout = 0.1
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(embedded_path("tiny")).save_pretrained(folder)
    return folder


# Judged, and so saved, at the end alone: tests that look at how often say so themselves
BASE = {"max_steps": 3, "batch_size": 4, "held_out": 0.2, "learning_rate": 1e-3, "eval_steps": 99, "device": "cpu"}


def go(files, folder: Path, *, resume_run: bool = False, allow_changes: bool = False, model="tiny", **options) -> dict:
    """Train `tiny` for a few steps through the front door."""
    files = [files] if isinstance(files, str) else files
    base = {k: v for k, v in BASE.items() if k != "held_out" or "eval" not in options}
    return train(
        files, model=str(model), output_dir=folder, options=TrainOptions(**(base | options)), resume_run=resume_run,
        allow_changes=allow_changes,
    )  # fmt: skip


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in metrics(folder) if "loss" in row]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "final" / "model.safetensors")


def same(one: dict, other: dict) -> bool:
    """Whether two tables of tensors are the same to the bit."""
    return set(one) == set(other) and all(torch.equal(one[k], other[k]) for k in one)


def bits(folder: Path) -> dict[str, bytes]:
    """Everything a run's end depends on: final weights, the newest checkpoint's weights, moments and position."""
    newest = max(folder.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    names = ("model.safetensors", "optimizer.safetensors", "trained.safetensors", "adapter_model.safetensors",
             "labels.safetensors")  # fmt: skip
    found = {f"{newest.name}/{n}": (newest / n).read_bytes() for n in names if (newest / n).exists()}
    state = json.loads((newest / "state.json").read_text())
    state.pop("seconds")
    return found | {
        "final": (folder / "final" / "model.safetensors").read_bytes(),
        "state": json.dumps(state, sort_keys=True).encode(),
        "metrics": json.dumps(metrics(folder)).encode(),
        "labels": (folder / "labels.jsonl").read_bytes() if (folder / "labels.jsonl").exists() else b"",
    }
