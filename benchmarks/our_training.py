"""plaudit's own training, one optimiser step at a time: the pieces of its loop without saving, judging and bars."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from plaudit.models.backbone import Loaded
from plaudit.models.forward import Reader
from plaudit.models.trees.probe import probe
from plaudit.seeds import seed_for
from plaudit.training import schedule
from plaudit.training.batches import batches, steps_per_epoch
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Prepared, prepare
from plaudit.training.start import accelerator_for, objective_for, optimizer_for, ready
from plaudit.training.steps.plain import Around, step

KINDS = {
    "matrix products of the layers": ("aten::mm", "aten::addmm", "aten::linear"),
    "attention": ("aten::bmm", "aten::baddbmm", "softmax", "scaled_dot_product"),
    "optimiser and clipping": ("adamw", "_foreach", "linalg_vector_norm", "aten::stack"),
    "gradient of the embedding": ("embedding",),
    "norms": ("rms_norm", "layer_norm", "aten::rsqrt", "aten::pow", "aten::mean"),
    "copies, casts and layout": ("copy_", "aten::cat", "index", "aten::_to_copy", "aten::clone", "fill", "zero"),
}


@dataclass
class Stage:
    """Everything a training needs, as the loop would set it up."""

    options: TrainOptions
    loaded: Loaded
    prepared: Prepared
    objective: Objective
    reader: Reader
    model: Any
    optimizer: Any
    accelerator: Any

    @property
    def steps(self) -> int:
        per = steps_per_epoch(len(self.prepared.train), self.options.batch_size)
        return self.options.max_steps or max(round(self.options.epochs * per), 1)


def staged(model: str, file: str | Path, options: TrainOptions) -> Stage:
    """The model of a name or folder, ready to train on that file's preferences."""
    objective, accelerator = objective_for(options), accelerator_for(options)
    loaded = ready(model, options)
    prepared = prepare([str(file)], loaded.policy, options)
    loaded.model.to(accelerator.device)
    reader = Reader(loaded.model, probe(loaded.model).way)
    wrapped, optimizer = accelerator.prepare(reader, optimizer_for(reader, objective, options))
    return Stage(options, loaded, prepared, objective, reader, wrapped, optimizer, accelerator)


def stepped(stage: Stage) -> Iterator[dict[str, float]]:
    """Take every step; yield the sums that the loop would log."""
    o, part, around = stage.options, stage.prepared.train, Around(stage.accelerator, stage.options.max_grad_norm)
    feed = batches(part.encoded, part.columns, size=min(o.batch_size, len(part)), budget=o.batch_tokens, seed=o.seed)
    stage.model.train()
    for done in range(stage.steps):
        rate = schedule.rate(done, stage.steps, peak=o.peak(), warmup=o.warmup_ratio, kind=o.lr_scheduler_type)
        for group in stage.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(seed_for(o.seed, "dropout", done, 0))
        yield step(stage.model, next(feed), stage.objective, stage.optimizer, around=around)


def timed(stage: Stage, *, profiled: bool = False) -> dict[str, Any]:
    """All steps: seconds, tokens computed, loss of each step, and the kinds of work when asked for."""
    watch = profile(activities=[ProfilerActivity.CPU]) if profiled else nullcontext()
    start = time.perf_counter()
    with watch as events:
        found = list(stepped(stage))
    return {
        "seconds": time.perf_counter() - start, "slots": int(sum(f["tokens"] for f in found)),
        "losses": [f["loss_sum"] for f in found], "steps": len(found), "kept": len(stage.prepared.train),
        "dropped": len(stage.prepared.dropped), "kinds": kinds_of(events) if profiled else [],
    }  # fmt: skip


def kinds_of(events) -> list[list]:
    """Share of the time by kind of work."""
    left = [(e.key.lower(), e.self_cpu_time_total) for e in events.key_averages()]
    total, rows = sum(t for _, t in left) or 1, []
    for name, marks in KINDS.items():
        rows.append([name, sum(t for k, t in left if any(m in k for m in marks)) / total])
        left = [(k, t) for k, t in left if not any(m in k for m in marks)]
    return [*rows, ["everything else (activations, rotary, residual adds, python)", sum(t for _, t in left) / total]]
