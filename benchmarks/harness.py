"""Honest timing, shared by the speed scripts: ratios inside one run, alternating repeats, medians, the peak beside."""

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent


def data_folder() -> Path:
    """The folder of real data, from PLAUDIT_DATA."""
    folder = os.environ.get("PLAUDIT_DATA", "")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("set PLAUDIT_DATA to the folder of real preference data")
    return Path(folder)


def peak(dtype: torch.dtype, *, rows: int = 1024, seconds: float = 2.0) -> float:
    """GFLOP/s of the linear layers' own matrix shapes (576 and 1,536 wide), the best of repeated calls."""
    best = 0.0
    for wide, out in ((576, 1536), (1536, 576), (576, 576)):
        x, w = torch.randn(rows, wide, dtype=dtype), torch.randn(out, wide, dtype=dtype)
        stop = time.perf_counter() + seconds / 3
        while time.perf_counter() < stop:
            start = time.perf_counter()
            for _ in range(4):
                torch.nn.functional.linear(x, w)
            best = max(best, 8 * rows * wide * out / (time.perf_counter() - start) / 1e9)
    return best


def alternate(settings: Mapping[str, Callable[[], Any]], *, repeats: int = 3) -> dict[str, list[float]]:
    """Seconds of every setting, taken in turn `repeats` times: A B C A B C ..."""
    taken: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(repeats):
        for name, run in settings.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
            print(f"  {name}: {taken[name][-1]:.2f} s", flush=True)
    return taken


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Median of the ratios of runs taken in the same turn, with their range."""
    each = [a / b for a, b in zip(slow, fast, strict=True)]
    return {"median": statistics.median(each), "low": min(each), "high": max(each)}


def peak_memory() -> int:
    """Bytes: this process's largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def machine() -> dict[str, Any]:
    """What the figures were taken on, in general terms."""
    return {
        "cores": len(os.sched_getaffinity(0)), "threads": torch.get_num_threads(), "python": platform.python_version(),
        "torch": torch.__version__, "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def standing(name: str) -> dict[str, Any]:
    """What a script published before: what it does not measure now it publishes again."""
    file = HERE / f"{name}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {"bars": [], "tables": [], "parts": {}} | found


def write(name: str, document: Mapping[str, Any]) -> None:
    """Write `benchmarks/NAME.json`; `make bench` turns it into docs/results.md."""
    (HERE / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"wrote benchmarks/{name}.json")
