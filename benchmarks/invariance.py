"""Do the token budget and the number of processes change a run?

    python benchmarks/invariance.py

`plaudit train` on the text world, 20 steps, with `tiny` in float32: micro-batches of 512 and of 4,096 tokens, one
process and two (gloo, on the CPU). The losses that the steps logged are compared.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import machine, write

STEPS = 20
# `--cpu --num_processes 2` starts one process in accelerate 1.15; its torchrun launcher is behind --multi_gpu
TWO = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
       "--mixed_precision", "no", "--dynamo_backend", "no", "--module", "plaudit"]  # fmt: skip
TUNINGS = {
    "full": ["--learning-rate", "2e-5"],
    "full, 50 times the learning rate": ["--learning-rate", "1e-3"],
    "lora": ["--tuning", "lora"],
}


def losses(file: Path, folder: Path, *, processes: int, options: list[str]) -> list[float]:
    """The losses of one run's steps."""
    command = [sys.executable, *(TWO if processes == 2 else ["-m", "plaudit"]), "train", str(file), "--model", "tiny",
               "--device", "cpu", "--max-steps", str(STEPS), "--batch-size", "8", "--held-out", "0",
               "--output-dir", str(folder), *options]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def furthest(one: list[float], other: list[float]) -> float:
    """The largest relative difference of two curves."""
    return max(abs(a - b) / abs(a) for a, b in zip(one, other, strict=True))


def main() -> None:
    """Run every setting and write the measurement."""
    found, rows = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        world = ["-m", "plaudit", "world", "text-v1", "--n", str(8 * STEPS), "--output", str(place / "world.jsonl")]
        subprocess.run([sys.executable, *world], check=True, capture_output=True)
        for name, more in TUNINGS.items():
            for budget, processes in ((4096, 1), (512, 1), (4096, 2), (512, 2)):
                folder = place / f"{name}-{budget}-{processes}"
                found[name, budget, processes] = losses(
                    place / "world.jsonl", folder, processes=processes, options=[*more, "--batch-tokens", str(budget)]
                )
                far = furthest(found[name, 4096, 1], found[name, budget, processes])
                rows.append([name, budget, processes, float(f"{far:.2e}"), found[name, budget, processes][-1]])
                print(rows[-1], flush=True)
    plain = {key[1:]: value for key, value in found.items() if key[0] == "full"}
    straight = plain[4096, 1]
    write("invariance", {
        "title": "Token budget and processes",
        "question": "Does how a batch is cut, or who computes it, change the loss of a step?",
        "what": f"`plaudit train` with `tiny`, {STEPS} steps of 8 preferences of the text world, fp32, CPU, torch "
        f"{machine()['torch']}; the largest relative difference of the logged step losses from those of one process "
        "with micro-batches of 4,096 tokens. The bars are about the default learning rate.",
        "bars": [
            {"name": "micro-batches of 512 against 4,096 tokens", "bar": "at most 1e-5 over 20 steps",
             "value": float(f"{furthest(straight, plain[512, 1]):.2e}"), "at_most": 1e-5},
            {"name": "two processes against one", "bar": "at most 1e-5 over 20 steps",
             "value": float(f"{furthest(straight, plain[4096, 2]):.2e}"), "at_most": 1e-5},
            {"name": "both", "bar": "at most 1e-5 over 20 steps",
             "value": float(f"{furthest(straight, plain[512, 2]):.2e}"), "at_most": 1e-5},
        ],
        "tables": [{"title": "all runs", "columns": ["tuning", "budget", "processes", "largest difference", "last loss"],
                    "rows": rows}],
    })  # fmt: skip


if __name__ == "__main__":
    main()
