"""What a run would do, without doing it: options, rows after each filter, tokens, the first rendered pair, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import torch

from plaudit.data.columns import table_of
from plaudit.errors import all_of
from plaudit.models.forward import Reader
from plaudit.models.tokens import texts
from plaudit.models.trees.plan import cost, plan
from plaudit.models.trees.probe import probe
from plaudit.records import Preference
from plaudit.report import terminal
from plaudit.training import judge
from plaudit.training.batches import everything, rows_of, steps_per_epoch
from plaudit.training.extras import check, extras_for
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Part, prepare
from plaudit.training.start import accelerator_for, objective_for, ready


def rehearse(
    files: Sequence[str],
    *,
    model: str,
    options: TrainOptions | None = None,
    layout: str | None = None,
    columns: str | Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The resolved options, counts after each filter, token quantiles, the first pair as rendered, and estimates."""
    options = options or TrainOptions()
    table, _, objective = all_of(lambda: table_of(columns), lambda: check(options), lambda: objective_for(options))
    loaded = ready(model, options)
    prepared = prepare(files, loaded.policy, options, layout=layout, columns=table, seed=options.seed)
    part = prepared.train
    objective.refuse_unread(everything(part.columns))
    judge.check(prepared.held, options, objective)
    verdict = probe(loaded.model)
    extras = extras_for(options, loaded, prepared, objective, verdict.way, sharded=False, columns=table)
    full = np.array([len(e.prompt) + len(r) for e in part.encoded for r in e.responses])
    trees = np.array([cost(e) for e in part.encoded])
    read = full if verdict.way == "padded" else trees
    size = min(options.batch_size, len(part))
    steps = options.max_steps or max(round(options.epochs * steps_per_epoch(len(part), size)), 1)
    tried = trial(loaded.model, part, options)
    return {
        "options": {
            **options.model_dump(), "learning_rate": options.peak(), "max_length": loaded.policy.max_length,
            "eval_steps": judge.every(options, steps),
        },
        "model": model,
        "way": verdict.reason,
        **extras.facts(),
        "rows": {"read": prepared.counts["rows"], **{k: v for k, v in prepared.counts.items() if k != "rows"}},
        "dropped": [{"where": w, "reason": r} for w, r in prepared.dropped[:20]],
        "steps": steps,
        "tokens": {
            "sequences": _quantiles(full), "preferences": _quantiles(trees), "total": int(full.sum()),
            "computed": int(read.sum()), "saved": float(1 - read.sum() / full.sum()),
        },
        "first": first(part.preferences[0], texts(part.preferences[0], loaded.policy)),
        "memory_bytes": memory(loaded.model, largest(part, size, options), options, tried.kept),
        "disk_bytes": disk(loaded.model, options),
        "seconds": tried.seconds * steps * size / len(part) * int(trees.sum()),
    }  # fmt: skip


def first(preference: Preference, rendered: Sequence[str]) -> dict[str, str]:
    """The responses of a preference as the model reads them, named by what the label says of them."""
    names = [f"response {i}" for i in range(1, len(rendered) + 1)]
    if len(rendered) == 2 and preference.comparisons() and not preference.is_tie:
        better, worse = preference.comparisons()[0]
        names[better], names[worse] = "chosen", "rejected"
    return dict(zip(names, rendered, strict=True))


def _quantiles(values: np.ndarray) -> dict[str, int]:
    return {f"p{q}": int(np.quantile(values, q / 100)) for q in (5, 50, 95)} | {"max": int(values.max())}


def largest(part: Part, size: int, options: TrainOptions) -> int:
    """Tokens of the largest micro-batch of the first steps, or of the longest preference."""
    found = [max(map(cost, part.encoded))]
    for step in range(min(steps_per_epoch(len(part), size), 16)):
        rows = [part.encoded[i] for i in rows_of(step, len(part), size, options.seed)]
        found += [len(tree.tokens) for tree in plan(rows, budget=options.batch_tokens)]
    return max(found)


@dataclass(frozen=True)
class Trial:
    """One micro-batch, tried: seconds and bytes kept for the backward pass, each for one token."""

    seconds: float
    kept: float


def trial(model: Any, part: Part, options: TrainOptions) -> Trial:
    """Run one micro-batch forward and backward, twice: the first pass pays for start-up. No weight changes."""
    accelerator = accelerator_for(options)
    reader = Reader(model.to(accelerator.device), probe(model).way).train()
    tree = plan(part.encoded[:32], budget=min(options.batch_tokens, 1024))[0]
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    for _ in range(2):
        kept: dict[int, int] = {}

        def keep(value: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            storage = value.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return value

        begun = monotonic()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value), accelerator.autocast():
            total = reader(tree).sum()
            bytes_kept = sum(kept.values())  # before the backward pass recomputes what it did not keep
        total.backward()
        model.zero_grad(set_to_none=True)
        if accelerator.device.type == "cuda":
            torch.cuda.synchronize()
        took = monotonic() - begun
    return Trial(took / len(tree.tokens), bytes_kept / len(tree.tokens))


def memory(model: Any, tokens: int, options: TrainOptions, kept: float) -> int:
    """Bytes, roughly: weights, gradients, two moments, and what one micro-batch of `tokens` keeps and needs at a time.

    `kept` is measured, per token. While one layer is computed or its gradient taken, about twelve hidden and six MLP
    widths a token stand beside it; under bfloat16 each matrix is copied once.
    """
    config = model.config.get_text_config()
    moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
    still = sum(p.numel() for p in model.parameters()) - moving
    inner_width = getattr(config, "intermediate_size", 4 * config.hidden_size)
    passing = 4 * (12 * config.hidden_size + 6 * inner_width)
    copies = 2 * (moving + still) if options.dtype == "bfloat16" else 0
    return int(16 * moving + 4 * still + copies + tokens * (kept + passing))


def disk(model: Any, options: TrainOptions) -> int:
    """Bytes on disk at most: the checkpoints kept, the one being written, and `final`."""
    moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
    everything = sum(p.numel() for p in model.parameters())
    model_bytes = 8 * moving if options.tuning == "lora" else 4 * everything
    return (options.save_total_limit + 1) * (model_bytes + 8 * moving) + 4 * everything


def _alike(a: str, b: str) -> int:
    """Characters until two texts differ."""
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def shortened(texts: Mapping[str, str], keep: int = 400) -> dict[str, str]:
    """The texts with the middle of their common beginning left out where that is long; all that differs stays.

    >>> shortened({"chosen": "abcdefgh: yes", "rejected": "abcdefgh: no"}, keep=2)
    {'chosen': 'ab [... 6 characters ...] : yes', 'rejected': 'ab [... 6 characters ...] : no'}
    """
    first, *others = texts.values()
    shared = min((_alike(first, other) for other in others), default=0)
    if shared <= 2 * keep:
        return dict(texts)
    middle = f" [... {shared - 2 * keep:,} characters ...] "
    return {name: text[:keep] + middle + text[shared - keep :] for name, text in texts.items()}


ROWS = {
    "read": "rows read", "readable": "preferences in them", "judged": "preferences with something to learn",
    "fitting": "of these, within what the model reads", "different": "of these, with unlike tokens",
    "train": "trained on", "held_out": "held out", "dropped": "dropped in all", "cut": "prompts that lose old turns",
    "cut_tokens": "tokens cut off them", "shared_groups": "prompts on both sides",
    "carried": "preferences with a target, margin or weight of their own", "ignored": "whose columns are ignored",
}  # fmt: skip


def show(found: Mapping[str, Any]) -> None:
    """Print a rehearsal for a person."""
    values = dict(found["options"])
    values["save_steps"] = values["save_steps"] or "at the best, and at the end"
    terminal.table("options", ["option", "value"], [(k, str(v)) for k, v in values.items()])
    rows = [(ROWS.get(name, name), count) for name, count in found["rows"].items()]
    terminal.table("rows", ["", "count"], [*rows, ("steps", found["steps"])])
    t = found["tokens"]
    terminal.table(
        "tokens", ["", "p5", "p50", "p95", "max"],
        [(name, *t[name].values()) for name in ("sequences", "preferences")],
    )  # fmt: skip
    saved = f"{t['saved']:.0%} fewer than sequence by sequence"
    print(f"{t['computed']:,} tokens are computed per epoch, {saved} ({found['way']})")
    size = lambda n: f"{n / 2**30:.1f} GiB" if n > 2**29 else f"{n / 2**20:.0f} MiB"  # noqa: E731
    print(f"memory: about {size(found['memory_bytes'])}; disk: up to {size(found['disk_bytes'])}")
    print(f"time: about {found['seconds'] / 60:.1f} minutes of forward and backward, as timed on one micro-batch\n")
    for name, text in shortened(found["first"]).items():
        print(f"--- first preference, {name}, as the model reads it\n{terminal.lines(text)}\n")
    for lost in found["dropped"]:
        print(f"dropped {terminal.clean(lost['where'])}: {terminal.clean(lost['reason'])}")
