"""Is a run that was killed with SIGKILL and resumed the same, to the bit, as one that never was?

    python benchmarks/kill_resume.py [--kills 50]

Every run is `plaudit train` in a process of its own. A third of the kills are aimed inside a save: the hidden folder
that a checkpoint is written into is waited for, and the process is killed while it is still there.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness import machine, write

PROMPTS = ["boil rice", "fix a flat tyre", "clean a kettle", "thank a colleague", "plant garlic", "sharpen a knife"]
RUNS = {
    "tiny, dropout 0.1": (
        35,
        ["--dropout", "--max-steps", "12", "--save-steps", "3", "--eval-steps", "4", "--learning-rate", "1e-3"],
    ),
    "minilm-l6, dropout 0.1": (15, ["--dropout", "--max-steps", "4", "--save-steps", "2", "--eval-steps", "2"]),
}


def preferences(path: Path, n: int = 40) -> None:
    """Short preferences with a rule that can be learned."""
    draw = random.Random(1)
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            what = draw.choice(PROMPTS)
            row = {"prompt": f"How do I {what}, try {i}?", "chosen": f"First look at what you have. Then {what}.",
                   "rejected": f"Why would you {what}{'?' * draw.randint(1, 4)}"}  # fmt: skip
            f.write(json.dumps(row if draw.random() < 0.8 else row | {"chosen": row["rejected"] + "!"}) + "\n")


def dropping(folder: Path) -> Path:
    """`tiny` with a dropout of 0.1 in its configuration (minilm-l6 has one of its own)."""
    from plaudit.models import embedded

    shutil.copytree(embedded.path("tiny"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    return folder


def child(arguments: list[str]) -> None:
    """`plaudit train` in this process, silently."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    if os.environ.get("KILL_RESUME_LOUD") is None:
        os.dup2(silent, 2)
    from plaudit.cli import run

    os._exit(run(arguments))


def started(context, arguments: list[str]):
    process = context.Process(target=child, args=(arguments,))
    process.start()
    return process


def finished(context, arguments: list[str]) -> float:
    """Run to the end; seconds it took."""
    begun = time.monotonic()
    process = started(context, arguments)
    process.join()
    if process.exitcode:
        raise SystemExit(f"exit {process.exitcode}: plaudit {' '.join(arguments)}")
    return time.monotonic() - begun


def writing(folder: Path) -> bool:
    """Whether a checkpoint or `final` is being written at this moment."""
    return any(folder.glob(".checkpoint-*.part-*")) or any(folder.glob(".final.part-*"))


def kill(context, arguments: list[str], folder: Path, *, inside: bool, seconds: float, saves: int, draw) -> str:
    """Start a run and kill it at a random moment; says where that was, or '' when it came too late."""
    process = started(context, arguments)
    begun = time.monotonic()
    if inside:
        for wanted in range(draw.randint(1, saves)):
            while process.is_alive() and not writing(folder):
                time.sleep(0.0002)
            while process.is_alive() and wanted and writing(folder):
                time.sleep(0.0002)
        time.sleep(draw.uniform(0, 0.02 * seconds / saves))
    else:
        time.sleep(max(draw.uniform(0, seconds) - (time.monotonic() - begun), 0))
    if not process.is_alive():
        process.join()
        return ""
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    if writing(folder):
        return "inside a save"
    return "between saves" if any(folder.glob("checkpoint-*")) else "before the first checkpoint"


def outcome(folder: Path) -> dict[str, bytes]:
    """What must be the same: final weights, the last checkpoint's weights and moments, position, every step's log."""
    newest = max(folder.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    state = json.loads((newest / "state.json").read_text())
    state.pop("seconds")
    names = [folder / "final" / "model.safetensors", folder / "metrics.jsonl", *sorted(newest.glob("*.safetensors"))]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in names} | {"state": json.dumps(state).encode()}


def trial(context, arguments, expected, folder, *, inside, seconds, saves, draw) -> tuple[str, list[str]]:
    """Kill one run, resume it, and name what differs from the uninterrupted one."""
    where = ""
    while not where or (inside and where != "inside a save"):
        shutil.rmtree(folder, ignore_errors=True)
        where = kill(context, arguments, folder, inside=inside, seconds=seconds, saves=saves, draw=draw)
    finished(context, [*arguments, "--resume"])
    found = outcome(folder)
    return where, sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))


def main(kills: int) -> int:
    """Run everything and write the measurement."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["plaudit.training.loop", "plaudit.commands.train"])
    draw, rows, same, total, aimed = random.Random(0), [], 0, 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        preferences(place / "a.jsonl")
        models = [str(dropping(place / "tiny-dropout")), "minilm-l6"]
        for (name, (share, options)), model in zip(RUNS.items(), models, strict=True):
            n = max(round(share * kills / 50), 1)
            files = [
                "train",
                str(place / "a.jsonl"),
                "--model",
                model,
                "--batch-size",
                "4",
                "--device",
                "cpu",
                *options,
            ]
            straight, again = place / "straight", place / "again"
            shutil.rmtree(straight, ignore_errors=True)
            finished(context, [*files, "--output-dir", str(straight)])
            expected = outcome(straight)
            shutil.rmtree(straight)
            seconds = finished(context, [*files, "--output-dir", str(straight)])
            if outcome(straight) != expected:
                raise SystemExit(f"{name}: two uninterrupted runs differ")
            saves = 3 if "tiny" in name else 2
            found: dict[str, list[int]] = {}
            for i in range(n):
                where, differs = trial(
                    context, [*files, "--output-dir", str(again)], expected, again,
                    inside=i % 3 == 2, seconds=seconds, saves=saves, draw=draw,
                )  # fmt: skip
                print(
                    f"{name} {i + 1}/{n}: killed {where}: {'differs in ' + ', '.join(differs) if differs else 'same'}"
                )
                count = found.setdefault(where, [0, 0])
                count[0] += 1
                count[1] += not differs
            rows += [[name, where, *count] for where, count in sorted(found.items())]
    total, same = sum(r[2] for r in rows), sum(r[3] for r in rows)
    aimed = sum(r[2] for r in rows if r[1] == "inside a save")
    about = machine()
    write("kill_resume", {
        "title": "Killed and resumed",
        "question": "Does a run that was killed with SIGKILL end with the bits of one that never was?",
        "what": f"{total} runs of `plaudit train`, each killed once at a random moment and resumed once; final weights, "
        "the last checkpoint's weights and optimiser moments, its position, and the log of every step (loss, tokens: the "
        "order of the examples) compared byte by byte with an uninterrupted run. Full fine-tuning, dropout on, fp32, "
        f"CPU, {about['threads']} thread, torch {about['torch']}.",
        "bars": [
            {"name": "runs that end with the same bits", "bar": "all", "value": same / total, "equals": 1.0},
            {"name": "kills", "bar": "at least 50", "value": total, "at_least": 50},
            {"name": "share of kills inside a save", "bar": "at least a third", "value": round(aimed / total, 3),
             "at_least": 0.32},
        ],
        "tables": [{"title": "where the kills fell", "columns": ["run", "killed", "kills", "same bits"], "rows": rows}],
    })  # fmt: skip
    return int(same < total)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    sys.exit(main(parser.parse_args().kills))
