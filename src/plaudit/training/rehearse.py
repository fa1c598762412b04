"""What a run would do, without doing it: options, rows after each filter, tokens, the first rendered pair, memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plaudit.models.tokens import texts
from plaudit.models.trees.plan import cost, plan
from plaudit.models.trees.probe import probe
from plaudit.report import terminal
from plaudit.training.batches import everything, rows_of, steps_per_epoch
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Part, prepare
from plaudit.training.start import objective_for, ready
from plaudit.training.track import check_sinks


def rehearse(
    files: Sequence[str],
    *,
    model: str,
    options: TrainOptions | None = None,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The resolved options, counts after each filter, token quantiles, the first pair as rendered, and estimates."""
    options = options or TrainOptions()
    check_sinks(options.report_to)
    objective = objective_for(options)
    loaded = ready(model, options)
    prepared = prepare(files, loaded.policy, options, layout=layout, columns=columns, seed=options.seed)
    part = prepared.train
    objective.refuse_unread(everything(part.columns))
    full = np.array([len(e.prompt) + len(r) for e in part.encoded for r in e.responses])
    trees = np.array([cost(e) for e in part.encoded])
    size = min(options.batch_size, len(part))
    per = steps_per_epoch(len(part), size)
    first = part.preferences[0]
    return {
        "options": {**options.model_dump(), "learning_rate": options.peak()},
        "model": model,
        "way": probe(loaded.model).reason,
        "rows": {"read": prepared.counts["rows"], **{k: v for k, v in prepared.counts.items() if k != "rows"}},
        "dropped": [{"where": w, "reason": r} for w, r in prepared.dropped[:20]],
        "steps": options.max_steps or max(round(options.epochs * per), 1),
        "tokens": {
            "sequences": _quantiles(full), "preferences": _quantiles(trees), "total": int(full.sum()),
            "computed": int(trees.sum()), "saved": float(1 - trees.sum() / full.sum()),
        },
        "first": dict(zip(("chosen", "rejected", *map(str, range(2, 99))), texts(first, loaded.policy), strict=False)),
        "memory_bytes": memory(loaded.model, largest(part, size, options), options),
    }  # fmt: skip


def _quantiles(values: np.ndarray) -> dict[str, int]:
    return {f"p{q}": int(np.quantile(values, q / 100)) for q in (5, 50, 95)} | {"max": int(values.max())}


def largest(part: Part, size: int, options: TrainOptions) -> int:
    """Tokens of the largest micro-batch of the first steps, or of the longest preference."""
    found = [max(map(cost, part.encoded))]
    for step in range(min(steps_per_epoch(len(part), size), 16)):
        rows = [part.encoded[i] for i in rows_of(step, len(part), size, options.seed)]
        found += [len(tree.tokens) for tree in plan(rows, budget=options.batch_tokens)]
    return max(found)


def memory(model, tokens: int, options: TrainOptions) -> int:
    """Bytes, roughly: weights, gradients, two moments, and the activations of one micro-batch of `tokens`.

    Activations are counted as 12 hidden and 4 MLP widths a token and layer in the run's dtype (measured within a
    third on the embedded models); with gradient checkpointing as one hidden width a layer and one layer in full.
    """
    config = model.config.get_text_config()
    moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
    still = sum(p.numel() for p in model.parameters()) - moving
    width, depth = config.hidden_size, config.num_hidden_layers
    inner = getattr(config, "intermediate_size", 4 * width)
    layer = 12 * width + 4 * inner
    held = layer * depth if not options.gradient_checkpointing else width * depth + layer
    activation = 4 if options.dtype == "float32" else 3
    return 16 * moving + 4 * still + tokens * held * activation


def show(found: Mapping[str, Any]) -> None:
    """Print a rehearsal for a person."""
    terminal.table("options", ["option", "value"], [(k, str(v)) for k, v in found["options"].items()])
    terminal.table("rows", ["", "count"], [*found["rows"].items(), ("steps", found["steps"])])
    t = found["tokens"]
    terminal.table(
        "tokens", ["", "p5", "p50", "p95", "max"],
        [(name, *t[name].values()) for name in ("sequences", "preferences")],
    )  # fmt: skip
    saved = f"{t['saved']:.0%} fewer than sequence by sequence"
    print(f"{t['computed']:,} tokens are computed per epoch, {saved} ({found['way']})")
    print(f"memory: about {found['memory_bytes'] / 2**30:.1f} GiB\n")
    for name, text in found["first"].items():
        print(f"--- first preference, {name}, as the model reads it\n{terminal.clean(text, 1500)}\n")
    for lost in found["dropped"]:
        print(f"dropped {terminal.clean(lost['where'])}: {terminal.clean(lost['reason'])}")
