"""The training loop: order by arithmetic, a guarded update, checkpoints published whole, the best one kept.

Own loop over accelerate, short enough to read: DDP, FSDP and mixed precision come from there. Every step is a
function of the data, the options and the step's number, so a resumed run ends with the bits of a straight one.
"""

import copy
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from plaudit.data.columns import table_of
from plaudit.errors import Interrupted, OptionError, PlauditError, all_of
from plaudit.folders import is_sealed, publish, recover, write_file
from plaudit.models import checkpoint
from plaudit.models.backbone import Loaded
from plaudit.models.forward import Reader
from plaudit.models.trees.probe import Verdict, probe
from plaudit.report.terminal import as_json, note, progress
from plaudit.seeds import seed_for
from plaudit.training import card, judge, resume, schedule
from plaudit.training.batches import batches, everything, steps_per_epoch
from plaudit.training.extras import Extras, check, extras_for
from plaudit.training.interrupt import Interrupt
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Prepared, prepare
from plaudit.training.start import accelerator_for, is_sharded, objective_for, optimizer_for, ready
from plaudit.training.steps.plain import Diverged
from plaudit.training.track import Metrics, Sink, sinks, step_values
from plaudit.training.views import Views

FIRST = 10  # steps whose losses say on which scale this run begins


def train(
    files: Sequence[str],
    *,
    model: str,
    output_dir: str | Path,
    options: TrainOptions | None = None,
    resume_run: bool = False,
    allow_changes: bool = False,
    layout: str | None = None,
    columns: str | Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train a reward model on preferences; returns what `run.json` holds.

    Writes sealed checkpoints, `final`, `metrics.jsonl`, `curves.svg`, `run.json` and, when rows fell out,
    `dropped.jsonl` into `output_dir`. With `resume_run` a run goes on from its newest whole checkpoint, and refuses
    other data, options or model than it began with unless `allow_changes`.

    Raises:
        PlauditError: nothing to train on, a folder in the way, or a run that cannot be resumed.
        Diverged: a number stopped being finite, or the loss is beyond reason; the last checkpoint is whole.
        Interrupted: Ctrl-C; the run can be resumed.
    """
    options = options or TrainOptions()
    folder = Path(output_dir)
    if folder.exists() and not folder.is_dir():
        raise PlauditError(f"{folder} is a file", advice="choose another --output-dir")
    if folder.exists() and any(folder.iterdir()) and not resume_run:
        begun = (folder / "metrics.jsonl").exists() or any(folder.glob("checkpoint-*"))
        goes_on = "--resume goes on with it; or " if begun else ""
        raise PlauditError(f"{folder} is not empty", advice=f"{goes_on}choose another --output-dir")
    table, _, objective, accelerator = all_of(
        lambda: table_of(columns), lambda: check(options), lambda: objective_for(options),
        lambda: accelerator_for(options),
    )  # fmt: skip
    loaded = ready(model, options)
    prepared = prepare(files, loaded.policy, options, layout=layout, columns=table, seed=options.seed)
    objective.refuse_unread(everything(prepared.train.columns))
    judge.check(prepared.held, options, objective)
    loaded.model.to(accelerator.device)  # attention differs between devices: the one that trains is tried
    verdict = probe(loaded.model)
    extras = extras_for(
        options, loaded, prepared, objective, verdict.way, sharded=is_sharded(accelerator), columns=table
    )  # fmt: skip
    run = Run(folder, loaded, prepared, options, objective, accelerator, model, extras, verdict)
    return run.go(resume_run, allow_changes)


class Run:
    """One training run: what outlives a step."""

    def __init__(
        self,
        folder: Path,
        loaded: Loaded,
        prepared: Prepared,
        options: TrainOptions,
        objective: Objective,
        accelerator: Accelerator,
        base: str,
        extras: Extras,
        verdict: Verdict,
    ) -> None:
        self.folder, self.loaded, self.prepared, self.options = folder, loaded, prepared, options
        self.objective, self.accelerator, self.base = objective, accelerator, base
        self.extras, self.verdict = extras, verdict
        self.main = accelerator.is_main_process
        objective.parameters.to(accelerator.device)
        self.reader = (Views if extras.contrast else Reader)(loaded.model, verdict.way)
        self.plain = self._plain()
        self.optimizer = optimizer_for(self.reader, self.objective, options)
        self.wrapped, self.optimizer = accelerator.prepare(self.reader, self.optimizer)
        size = min(options.batch_size, len(prepared.train))
        self.size, self.per_epoch = size, steps_per_epoch(len(prepared.train), size)
        self.steps = options.max_steps or max(round(options.epochs * self.per_epoch), 1)
        self.eval_every = judge.every(options, self.steps)
        self.done, self.saved = 0, -1
        self.state: dict[str, Any] = {
            "best": None, "best_checkpoint": "", "patience": 0, "skipped": 0, "num_tokens": 0, "seconds": 0.0,
            "loss_seen": 0.0,
        }  # fmt: skip
        self.digests = {**prepared.digests, "model": loaded.fingerprint, **extras.digests}
        self.wanted = {k: v for k, v in options.model_dump().items() if k not in ("report_to", "device")}

    def _plain(self) -> Reader | None:
        """The model that is saved: the one trained or, when that is sharded, a whole copy on the main process."""
        if not is_sharded(self.accelerator):
            return self.reader
        if self.objective.parameters:
            raise OptionError(
                [f"loss {self.options.loss} learns a parameter of its own, which FSDP would not see"],
                advice="fix it with --loss-options.a (rao_kupper) or --loss-options.b (davidson)",
            )
        return copy.deepcopy(self.reader).cpu() if self.main else None

    # what a checkpoint knows

    def _facts(self) -> dict[str, Any]:
        return {"options": self.wanted, "digests": self.digests, "steps_planned": self.steps, **self.state}

    def _moving(self) -> dict[str, torch.Tensor]:
        return resume.moving(self.reader, self.objective.parameters)

    def _save(self, done: int) -> None:
        if done == self.saved:
            return
        if self.main or is_sharded(self.accelerator):  # every process holds a part, or the main one holds all
            named = self._moving()
            weights = {n: resume.whole(p) for n, p in named.items()}
            moments = resume.moments(named, self.optimizer)
        if self.main:
            self._bring_home(weights)
            resume.save(
                self.folder, done, weights=weights, moments=moments, state=self._facts(), write_model=self._write_model,
                labels=self.extras.labels.tensors() if self.extras.labels else None,
            )  # fmt: skip
            resume.prune(self.folder, self.options.save_total_limit, self.state["best_checkpoint"], done)
        self.saved = done
        self.accelerator.wait_for_everyone()

    def _bring_home(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Under FSDP, put the weights into the whole copy."""
        if self.plain is not None and self.plain is not self.reader:
            with torch.no_grad():
                for name, p in resume.moving(self.plain).items():
                    p.copy_(weights[name])

    def _write_model(self, part: Path) -> None:
        """The loadable model or, with LoRA, the adapter alone."""
        assert self.plain is not None
        with resume.as_system_error(part):
            if self.options.tuning == "lora":
                resume.write_adapter(part, self.plain.model, self.loaded.tokenizer)
                checkpoint.write_facts(part, card.card(self, None))
            else:
                checkpoint.save(part, self.plain.model, self.loaded.tokenizer, card.card(self, None))

    # the road

    def go(self, resume_run: bool, allow_changes: bool = False) -> dict[str, Any]:
        """Train to the end, or from where a checkpoint stands."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PlauditError(f"{self.folder}: cannot be made: {error.strerror}") from error
        if resume_run:
            self._take_up(allow_changes)
        if self._enough() and is_sealed(self.folder / "final") and (self.folder / "run.json").exists():
            self._say(f"{self.folder} is finished already ({self.done} steps)")
            return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        if self.main:  # of a run that ended earlier: whoever finds it shall find the end of this one
            (self.folder / "run.json").unlink(missing_ok=True)
        self._announce()
        others = sinks(self.options.report_to, self.folder, self.wanted) if self.main else []
        self.sinks: list[Sink] = [Metrics(self.folder, upto=self.done), *others] if self.main else []
        try:
            with Interrupt(self.accelerator) as interrupt:
                self._steps(interrupt)
        finally:
            for sink in self.sinks:
                sink.close()
        return self._finish()

    def _say(self, text: str) -> None:
        if self.main:
            note(text)

    def _enough(self) -> bool:
        patience = self.options.early_stopping_patience
        return self.done >= self.steps or bool(patience and self.state["patience"] >= patience)

    def _take_up(self, allow_changes: bool) -> None:
        if self.main:
            recover(self.folder / "final")
            resume.sweep(self.folder)
        self.accelerator.wait_for_everyone()
        newest, skipped = resume.newest(self.folder)
        for path in skipped:
            self._say(f"skipped {path.name}: its seal does not hold")
        if newest is None:
            self._say("no checkpoint yet: starting from the first step")
            return
        state = resume.read_state(newest)
        was = {**state, "options": TrainOptions().model_dump() | state["options"]}  # younger options had their defaults
        changed = resume.changes(was, {"digests": self.digests, "options": self.wanted})
        if changed and not allow_changes:
            raise PlauditError(
                "cannot resume, the run was started otherwise:\n  " + "\n  ".join(changed),
                advice="put these back, start anew with another --output-dir, or say --allow-changes",
            )
        for change in changed:
            self._say(f"resuming although {change}")
        self._best_of(state, newest)
        resume.restore(newest, self._moving(), self.optimizer)
        if self.extras.labels:
            self.extras.labels.restore(resume.read_labels(newest))
        self.state = {k: state.get(k, v) for k, v in self.state.items()}
        self.done = self.saved = int(state["step"])
        self._say(f"resuming from {newest.name}")

    def _best_of(self, state: dict[str, Any], newest: Path) -> None:
        """The best so far of a run taken up: still whole, and forgotten where others are held out now."""
        if state["best_checkpoint"] and state["digests"]["held_out"] != self.digests["held_out"]:
            self._say("other preferences are held out now: the best checkpoint so far is no longer the measure")
            state.update(best=None, best_checkpoint="", patience=0)
        elif state["best_checkpoint"] not in ("", newest.name):
            resume.refuse_lost(self.folder / state["best_checkpoint"])

    def _announce(self) -> None:
        if not self.main:
            return
        p, c = self.prepared, self.prepared.counts
        note(
            f"{c['train']:,} preferences to train on, {c['held_out']:,} held out, {c['dropped']:,} dropped"
            + (f", {c['cut']:,} cut by {c['cut_tokens']:,} prompt tokens" if c["cut"] else "")
            + (f"; {p.carried:,} carry a target, margin or weight" if p.carried else "")
        )
        if c["shared_groups"]:
            note(f"{c['shared_groups']:,} prompt groups are both trained on and held out: held-out numbers flatter")
        note(f"{self.steps:,} steps of {self.size} preferences; {self.base}: {self.verdict.reason}")
        for line in self.extras.notes(self.options):
            note(line)
        listed: dict[str, list[dict[str, Any]]] = {
            "dropped.jsonl": [{"where": w, "reason": r} for w, r in p.dropped],
            "cut.jsonl": [{"where": w, "prompt_tokens_left_out": n} for w, n in p.cut],
        }
        for name, rows in listed.items():
            if rows:
                lines = [json.dumps(row, ensure_ascii=True) for row in rows]
                write_file(self.folder / name, ("\n".join(lines) + "\n").encode())
        if written := [str(self.folder / name) for name, rows in listed.items() if rows]:
            note(f"each of these rows: {', '.join(written)}")

    def _steps(self, interrupt: Interrupt) -> None:
        o, start, carried = self.options, time.perf_counter(), self.state["seconds"]
        feed = batches(
            self.prepared.train.encoded, self.extras.columns(self.prepared.train.columns), size=self.size,
            budget=o.batch_tokens, seed=o.seed, start=self.done, shares=self.accelerator.num_processes,
        )  # fmt: skip
        with progress("training", self.steps) as bar:
            bar.advance(self.done)
            while not self._enough():
                before = time.perf_counter()
                rate = self._rate()
                sums = self._step(next(feed))
                self.done += 1
                if self.extras.labels and self.done % self.per_epoch == 0:
                    self.extras.labels.epoch()
                bar.advance(1, **self._log(sums, rate, time.perf_counter() - before))
                self.state["seconds"] = carried + time.perf_counter() - start
                self._judge_and_save()
                if interrupt.asked() and not self._enough():
                    self._save(self.done)
                    raise Interrupted(
                        f"stopped after step {self.done}", advice="the same command with --resume goes on"
                    )
        if self.done < self.steps:
            self._say(f"stopped early at step {self.done}: {self.state['patience']} evaluations without a better one")

    def _rate(self) -> float:
        """The learning rate of this step, set."""
        o = self.options
        rate = schedule.rate(
            self.done, self.steps, peak=o.peak(), warmup=o.warmup_ratio, kind=o.lr_scheduler_type, floor=o.min_lr_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, micro: Sequence) -> dict[str, float]:
        self.wrapped.train()
        torch.manual_seed(seed_for(self.options.seed, "dropout", self.done, self.accelerator.process_index))
        around = self.extras.around(self.accelerator, self.options, self.done, self.state["loss_seen"])
        try:
            return self.extras.step(self.wrapped, micro, self.objective, self.optimizer, around=around)
        except PlauditError as error:
            advice = error.advice or "lower --learning-rate, or look at these rows"
            advice = f"the update was not applied, and {self._kept()}; {advice}"
            raise type(error)(self._located(error), advice=advice) from error

    def _located(self, error: PlauditError) -> str:
        """The error's message with the step, and row numbers turned into the files' own places."""
        rows = getattr(error, "rows", ())
        names = [self.prepared.train.preferences[r].source or self.prepared.train.preferences[r].id for r in rows]
        return f"step {self.done + 1}: {error.message}" + (f": {', '.join(names[:8])}" if names else "")

    def _log(self, sums: Mapping[str, float], rate: float, seconds: float) -> dict[str, Any]:
        """Write this step's metrics when they are due; returns what the progress bar shows."""
        if sums.get("skipped"):
            self.state["skipped"] += 1
            return {"skipped": self.state["skipped"]}
        self.state["num_tokens"] += int(sums["num_tokens"])
        if self.done <= FIRST or not self.state["loss_seen"]:
            self.state["loss_seen"] = max(self.state["loss_seen"], sums["loss_sum"])
        run = {"learning_rate": rate, "num_tokens": self.state["num_tokens"], "epoch": self.done / self.per_epoch}
        values = step_values(sums, run)
        if self.done % self.options.logging_steps == 0 or self.done == self.steps:
            self._tell(values)
        return {"loss": values["loss"], "accuracy": values["accuracy"], "margin": values["margin"],
                "tokens/s": round(sums["num_tokens"] / max(seconds, 1e-9))}  # fmt: skip

    def _tell(self, values: Mapping[str, float]) -> None:
        """What is not a number (the accuracy of a batch without comparisons) is left out."""
        for sink in self.sinks:
            sink.log({k: v for k, v in values.items() if math.isfinite(v)}, self.done)

    def _judged(self) -> dict[str, float]:
        try:
            return judge.judge(self.reader, self.prepared.held, self.options, self.objective, self.extras.labels)
        except Diverged as error:
            raise Diverged(
                f"after step {self.done}: {error.message}", advice=f"{self._kept()}; {error.advice}"
            ) from error

    def _kept(self) -> str:
        """Which checkpoint can be gone back to."""
        whole, _ = resume.newest(self.folder)
        return f"{whole.name} is whole" if whole else "no checkpoint was saved before"

    def _judge_and_save(self) -> None:
        """Evaluate and save when due."""
        o, last, improved = self.options, self.done == self.steps, False
        if len(self.prepared.held) and (self.done % self.eval_every == 0 or last):
            now = self._judged()
            self._tell(now)
            improved = judge.better(now, self.state["best"], o.metric_for_best_model)
            told = judge.measure(now, o.metric_for_best_model) in now  # what cannot be judged is no worse
            self.state["patience"] = 0 if improved else self.state["patience"] + told
            if improved:
                self.state.update(best={**now, "step": self.done}, best_checkpoint=f"checkpoint-{self.done}")
        if improved or self._enough() or (o.save_steps and self.done % o.save_steps == 0):
            self._save(self.done)

    def _finish(self) -> dict[str, Any]:
        best = self.state["best_checkpoint"]
        if best and best != f"checkpoint-{self.done}":
            resume.refuse_lost(self.folder / best)
            resume.restore_weights(self.folder / best, self._moving())
        if is_sharded(self.accelerator):
            self._bring_home({n: resume.whole(p) for n, p in self._moving().items()})
        facts = card.card(self, self.state["best"])
        document = {
            "steps": self.done, "rows": card.rows(self.prepared), "options": self.options.model_dump(),
            "model": self.base, "digests": self.digests, "held_out": self.state["best"] or {}, "way": self.verdict.way,
            "loss_parameters": facts["loss_parameters"], "skipped_steps": self.state["skipped"],
            "num_tokens": self.state["num_tokens"], "seconds": self.state["seconds"], **self.extras.facts(),
        }  # fmt: skip
        if self.main:
            assert self.plain is not None
            recover(self.folder / "final")
            with publish(self.folder / "final", replace=True) as part, resume.as_system_error(part):
                checkpoint.save(part, self.plain.model, self.loaded.tokenizer, facts)
            if self.options.smoothing_beta and self.extras.labels:
                lines = self.extras.labels.lines(self.prepared.train.preferences)
                write_file(self.folder / "labels.jsonl", "".join(lines).encode())
            write_file(self.folder / "run.json", as_json(document).encode())
        self.accelerator.wait_for_everyone()
        return document
