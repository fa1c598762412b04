"""The training loop: order by arithmetic, a guarded update, checkpoints published whole, the best one kept.

Own loop over accelerate, short enough to read: DDP, FSDP and mixed precision come from there. Every step is a
function of the data, the options and the step's number, so a resumed run ends with the bits of a straight one.
"""

import json
import math
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from plaudit.errors import Interrupted, PlauditError
from plaudit.folders import publish, recover, write_file
from plaudit.models import checkpoint
from plaudit.models.backbone import Loaded, load_backbone
from plaudit.models.forward import Reader
from plaudit.models.lora import attach
from plaudit.models.trees.probe import probe
from plaudit.report.terminal import note, progress
from plaudit.seeds import seed_for
from plaudit.training import judge, resume, schedule
from plaudit.training.batches import batches, steps_per_epoch
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Prepared, prepare
from plaudit.training.steps.plain import Around, step
from plaudit.training.track import Metrics, Sink, sinks


def accelerator_for(options: TrainOptions) -> Accelerator:
    """An accelerator for these options; a second run in one process may ask for another precision."""
    AcceleratorState._reset_state()
    mixed = "bf16" if options.dtype == "bfloat16" else "no"
    return Accelerator(mixed_precision=mixed, cpu=options.device == "cpu" or not torch.cuda.is_available())


def ready(model: str, options: TrainOptions) -> Loaded:
    """The model to train: loaded, its head seeded, adapters or freezing as asked."""
    loaded = load_backbone(
        model, seed=options.seed, for_training=True, trust_remote_code=options.trust_remote_code,
        max_length=options.max_length, dropout=options.dropout,
    )  # fmt: skip
    if options.tuning == "lora":
        targets = options.lora_targets
        loaded.model = attach(
            loaded.model, r=options.lora_r, alpha=options.lora_alpha, dropout=options.lora_dropout,
            targets=targets if targets == "all-linear" else [t.strip() for t in targets.split(",")], seed=options.seed,
        )  # fmt: skip
    elif options.tuning == "frozen":
        for p in loaded.model.base_model.parameters():
            p.requires_grad_(False)
    if options.gradient_checkpointing:
        loaded.model.activation_checkpointing_enable({"use_reentrant": False})
    return loaded


def optimizer_for(model: nn.Module, objective: Objective, options: TrainOptions) -> torch.optim.AdamW:
    """AdamW; matrices decay, vectors do not."""
    moving = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in moving if p.ndim > 1]
    plain = [p for p in moving if p.ndim <= 1] + list(objective.parameters.values())
    groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=options.peak(), betas=(options.adam_beta1, options.adam_beta2),
        eps=options.adam_epsilon, fused=True,
    )  # fmt: skip


class _Signals:
    """Ctrl-C asks once: the running step is finished and saved. A second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "_Signals":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        note("stopping after this step; a checkpoint is saved (Ctrl-C again stops at once)")

    def __exit__(self, *_: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


def train(
    files: Sequence[str],
    *,
    model: str,
    output_dir: str | Path,
    options: TrainOptions | None = None,
    resume_run: bool = False,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train a reward model on preferences; returns what `run.json` holds.

    Writes sealed checkpoints, `final`, `metrics.jsonl`, `curves.svg`, `run.json` and, when rows fell out,
    `dropped.jsonl` into `output_dir`.

    Raises:
        PlauditError: nothing to train on, a folder in the way, or a run that cannot be resumed.
        Diverged: a number stopped being finite; the last checkpoint is whole.
        Interrupted: Ctrl-C; the run can be resumed.
    """
    options = options or TrainOptions()
    folder = Path(output_dir)
    if folder.exists() and any(folder.iterdir()) and not resume_run:
        raise PlauditError(f"{folder} is not empty", advice="--resume goes on with it; or choose another --output-dir")
    accelerator = accelerator_for(options)
    loaded = ready(model, options)
    prepared = prepare(files, loaded.policy, options, layout=layout, columns=columns, seed=options.seed)
    return Run(folder, loaded, prepared, options, accelerator, model).go(resume_run)


class Run:
    """One training run: what outlives a step."""

    def __init__(
        self,
        folder: Path,
        loaded: Loaded,
        prepared: Prepared,
        options: TrainOptions,
        accelerator: Accelerator,
        base: str,
    ) -> None:
        self.folder, self.loaded, self.prepared, self.options = folder, loaded, prepared, options
        self.accelerator, self.base = accelerator, base
        self.objective = Objective(
            pair=options.loss, lists=options.list_loss, points=options.point_loss,
            center=options.center_rewards_coefficient, pointwise_coefficient=options.pointwise_coefficient,
        )  # fmt: skip
        loaded.model.to(accelerator.device)
        self.verdict = probe(loaded.model)
        self.reader = Reader(loaded.model, self.verdict.way)
        self.optimizer = optimizer_for(self.reader, self.objective, options)
        self.wrapped, self.optimizer = accelerator.prepare(self.reader, self.optimizer)
        size = min(options.batch_size, len(prepared.train))
        self.size, self.per_epoch = size, steps_per_epoch(len(prepared.train), size)
        self.steps = options.max_steps or max(round(options.epochs * self.per_epoch), 1)
        self.eval_every = options.eval_steps or max(math.ceil(self.steps / 4), 1)
        self.state: dict[str, Any] = {
            "best": None, "best_checkpoint": "", "patience": 0, "skipped": 0, "seconds": 0.0,
        }  # fmt: skip
        self.digests = {**prepared.digests, "model": loaded.fingerprint}
        self.wanted = {k: v for k, v in options.model_dump().items() if k not in ("report_to", "device")}

    # what a checkpoint knows

    def _facts(self) -> dict[str, Any]:
        return {"options": self.wanted, "digests": self.digests, "steps_planned": self.steps, **self.state}

    def _save(self, done: int) -> Path:
        path = self.folder / f"checkpoint-{done}"
        if self.accelerator.is_main_process:
            write = None if self.options.tuning == "lora" else self._write_model
            resume.save(
                self.folder, done, model=self.reader, optimizer=self.optimizer, extra=dict(self.objective.parameters),
                state=self._facts(), write_model=write,
            )  # fmt: skip
            resume.prune(self.folder, self.options.save_total_limit, self.state["best_checkpoint"])
        self.accelerator.wait_for_everyone()
        return path

    def _write_model(self, part: Path) -> None:
        checkpoint.save(part, self.reader.model, self.loaded.tokenizer, self._card(None))

    def _card(self, held: Mapping[str, float] | None) -> dict[str, Any]:
        p = self.prepared
        groups = sorted({int(g) for g in p.train.groups})
        return {
            "base_model": self.loaded.origin,
            "base_fingerprint": self.loaded.fingerprint,
            "rows": self._rows(),
            "options": self.wanted,
            "digests": self.digests,
            "groups": {"by": self.options.group_by, "train": [f"{g:016x}" for g in groups]},
            "held_out": dict(held) if held else None,
            "reward": {"mean": held["eval_mean_reward"], "std": held["plaudit/eval_std_reward"], "source": "held-out"}
            if held
            else None,
            "way": self.verdict.way,
            "policy": self.loaded.policy.facts(),
        }

    def _rows(self) -> dict[str, int]:
        c = self.prepared.counts
        return {"train": c["train"], "held_out": c["held_out"], "dropped": c["dropped"], "cut": c["cut"]}

    # the road

    def go(self, resume_run: bool) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self._take_up() if resume_run else 0
        if done >= self.steps and (self.folder / "final").exists():
            note(f"{self.folder} is finished already ({self.steps} steps)")
            return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        self._announce(done)
        main = self.accelerator.is_main_process
        metrics = Metrics(self.folder, upto=done) if main else None
        others = sinks(self.options.report_to, self.folder, self.wanted) if main else []
        self.sinks: list[Sink] = [metrics, *others] if metrics else []
        try:
            with _Signals() as signals:
                self._steps(done, signals)
        finally:
            for sink in self.sinks:
                sink.close()
        return self._finish()

    def _take_up(self) -> int:
        recover(self.folder / "final")
        newest, skipped = resume.newest(self.folder)
        for path in skipped:
            note(f"skipped {path.name}: its seal does not hold")
        if newest is None:
            note("no checkpoint yet: starting from the first step")
            return 0
        state = resume.read_state(newest)
        resume.refuse_changes(state, {"digests": self.digests, "options": self.wanted})
        resume.restore(newest, model=self.reader, optimizer=self.optimizer, extra=dict(self.objective.parameters))
        self.state = {k: state[k] for k in self.state}
        note(f"resuming from {newest.name}")
        return int(state["step"])

    def _announce(self, done: int) -> None:
        if not self.accelerator.is_main_process:
            return
        p, c = self.prepared, self.prepared.counts
        note(
            f"{c['train']:,} preferences to train on, {c['held_out']:,} held out, {c['dropped']:,} dropped"
            + (f", {c['cut']:,} cut by {c['cut_tokens']:,} prompt tokens" if c["cut"] else "")
            + (f"; {p.carried:,} carry a target, margin or weight" if p.carried else "")
        )
        note(f"{self.steps:,} steps of {self.size} preferences; {self.base}: {self.verdict.reason}")
        if p.dropped:
            lines = [json.dumps({"where": w, "reason": r}, ensure_ascii=True) for w, r in p.dropped]
            write_file(self.folder / "dropped.jsonl", ("\n".join(lines) + "\n").encode())

    def _steps(self, done: int, signals: _Signals) -> None:
        o, start, carried = self.options, time.perf_counter(), self.state["seconds"]
        around = Around(self.accelerator, o.max_grad_norm)
        feed = batches(
            self.prepared.train.encoded, self.prepared.train.columns, size=self.size, budget=o.batch_tokens,
            seed=o.seed, start=done, shares=self.accelerator.num_processes,
        )  # fmt: skip
        with progress("training", self.steps) as bar:
            bar.advance(done)
            while done < self.steps:
                self.wrapped.train()
                torch.manual_seed(seed_for(o.seed, "dropout", done, self.accelerator.process_index))
                rate = schedule.rate(
                    done,
                    self.steps,
                    peak=o.peak(),
                    warmup=o.warmup_ratio,
                    kind=o.lr_scheduler_type,
                    floor=o.min_lr_ratio,
                )
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                before = time.perf_counter()
                try:
                    sums = step(self.wrapped, next(feed), self.objective, self.optimizer, around=around)
                except PlauditError as error:
                    raise type(error)(self._located(error, done), advice=error.advice or _ADVICE) from error
                done += 1
                facts = self._log(done, sums, rate, time.perf_counter() - before)
                bar.advance(1, **facts)
                self.state["seconds"] = carried + time.perf_counter() - start
                stop = self._judge_and_save(done)
                if signals.asked and done < self.steps and not stop:
                    self._save(done)
                    raise Interrupted(f"stopped after step {done}", advice="the same command with --resume goes on")
                if stop:
                    note(f"stopped early at step {done}: {self.state['patience']} evaluations without a better one")
                    break
        self.done = done

    def _located(self, error: PlauditError, done: int) -> str:
        """The error's message with the step, and row numbers turned into the files' own places."""
        rows = getattr(error, "rows", ())
        names = [self.prepared.train.preferences[r].source or self.prepared.train.preferences[r].id for r in rows]
        return f"step {done + 1}: {error.message}" + (f": {', '.join(names[:8])}" if names else "")

    def _log(self, done: int, sums: Mapping[str, float], rate: float, seconds: float) -> dict[str, Any]:
        if sums.get("skipped"):
            self.state["skipped"] += 1
            return {"skipped": self.state["skipped"]}
        compared = sums["compared"]
        values = {
            "loss": sums["loss_sum"],
            "plaudit/plain_loss": sums["plain_sum"] / sums["plain_weight"] if sums["plain_weight"] else float("nan"),
            "accuracy": sums["accurate"] / compared if compared else float("nan"),
            "margin": sums["margin_sum"] / compared if compared else float("nan"),
            "min_reward": sums["reward_min"], "mean_reward": sums["reward_sum"] / max(sums["n"], 1),
            "max_reward": sums["reward_max"], "grad_norm": sums["grad_norm"], "learning_rate": rate,
            "num_tokens": sums["num_tokens"], "plaudit/computed_tokens": sums["tokens"],
            "epoch": done / self.per_epoch,
        }  # fmt: skip
        if done % self.options.logging_steps == 0 or done == self.steps:
            for sink in self.sinks:
                sink.log({k: v for k, v in values.items() if v == v}, done)
        return {"loss": values["loss"], "acc": values["accuracy"], "margin": values["margin"],
                "tok/s": round(sums["num_tokens"] / max(seconds, 1e-9))}  # fmt: skip

    def _judge_and_save(self, done: int) -> bool:
        """Evaluate and save when due; True when training should stop early."""
        o, last = self.options, done == self.steps
        improved, stop = False, False
        if len(self.prepared.held) and (done % self.eval_every == 0 or last):
            now = judge.judge(self.reader, self.prepared.held, o)
            for sink in self.sinks:
                sink.log({k: v for k, v in now.items() if v == v}, done)
            improved = judge.better(now, self.state["best"], o.metric_for_best_model)
            self.state["patience"] = 0 if improved else self.state["patience"] + 1
            if improved:
                self.state.update(best={**now, "step": done}, best_checkpoint=f"checkpoint-{done}")
            stop = bool(o.early_stopping_patience) and self.state["patience"] >= o.early_stopping_patience
        if improved or last or stop or (o.save_steps and done % o.save_steps == 0):
            self._save(done)
        return stop

    def _finish(self) -> dict[str, Any]:
        best = self.state["best_checkpoint"]
        if best and best != f"checkpoint-{self.done}":
            weights = resume.load_file(self.folder / best / resume.TRAINED)
            resume.restore_weights(self.reader, weights, dict(self.objective.parameters))
        document = {
            "steps": self.done, "rows": self._rows(), "options": self.options.model_dump(), "model": self.base,
            "digests": self.digests, "held_out": self.state["best"] or {}, "way": self.verdict.way,
            "skipped_steps": self.state["skipped"], "seconds": self.state["seconds"],
        }  # fmt: skip
        if self.accelerator.is_main_process:
            recover(self.folder / "final")
            with publish(self.folder / "final", replace=True) as part:
                checkpoint.save(part, self.reader.model, self.loaded.tokenizer, self._card(self.state["best"]))
            write_file(self.folder / "run.json", json.dumps(document, indent=1).encode())
        self.accelerator.wait_for_everyone()
        return document


_ADVICE = "the update was not applied and the last checkpoint is whole; lower --learning-rate, or look at these rows"
