"""What a run has beside plain training: labels that move, a contrastive part, meta groups; made once, said aloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plaudit import catalog
from plaudit.data import layouts
from plaudit.data.options import given
from plaudit.errors import OptionError, all_of
from plaudit.models.forward import Way, inner
from plaudit.models.heads.scalar import last_layer
from plaudit.training.batches import Columns
from plaudit.training.contrast import Contrast, contrast_for
from plaudit.training.labels import Labels, labels_for
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions
from plaudit.training.prepare import Prepared
from plaudit.training.steps import meta, plain
from plaudit.training.steps._gradient import Around, Ascent
from plaudit.training.track import check_sinks
from plaudit.training.unlabelled import Unlabelled, unlabelled
from plaudit.training.views import kind_for


@dataclass(frozen=True)
class Extras:
    """The parts that are in use, None for the others, and the step that goes with them."""

    labels: Labels | None = None
    contrast: Contrast | None = None
    ascent: Ascent | None = None

    @property
    def step(self) -> Callable[..., dict]:
        """The step of `training/steps` that this run takes."""
        return meta.step if self.ascent else plain.step

    @property
    def digests(self) -> dict[str, str]:
        """Of what went in beside the preferences."""
        return {"meta": self.ascent.groups.digest} if self.ascent else {}

    def around(self, accelerator: Any, options: TrainOptions, step: int, seen: float = 0.0) -> Around:
        """What surrounds an optimiser step; `seen` is the largest loss of the first steps."""
        extras = (self.labels, self.contrast, self.ascent)
        return Around(
            accelerator, options.max_grad_norm, options.seed, step, *extras, options.divergence_factor, seen
        )  # fmt: skip

    def columns(self, plain_columns: Columns) -> Columns:
        """The columns to train on: targets that move, or those that came."""
        return self.labels.columns if self.labels else plain_columns

    def notes(self, options: TrainOptions) -> list[str]:
        """What is to be said before the first step."""
        found = []
        if self.contrast:
            what = "attention weights" if self.contrast.kind == "attention" else "parts of what the head reads"
            forced = (
                ", since this model cannot read token trees" if self.contrast.kind != options.contrastive_noise else ""
            )
            found.append(f"{options.contrastive} on {self.contrast.on}: two views, which drop {what}{forced}")
        if self.ascent:
            groups = self.ascent.groups
            lost = f", {groups.dropped:,} rows left out" if groups.dropped else ""
            found.append(f"{len(groups):,} meta groups from {options.meta}, labels unread{lost}")
            if groups.shared:
                found.append(f"{groups.shared:,} prompt groups are both meta and held out: held-out numbers flatter")
        return found

    def facts(self) -> dict[str, Any]:
        """What `run.json` says about them; nothing of a plain run."""
        found: dict[str, Any] = {}
        if self.contrast:
            found["views"] = {"noise": self.contrast.kind, "beta": self.contrast.beta}
        if self.ascent:
            groups = self.ascent.groups
            found["meta"] = {"groups": len(groups), "dropped": groups.dropped, "held_out_groups": groups.shared}
        return found


def check(options: TrainOptions) -> None:
    """Refuse options that say nothing, and trackers that are not here, before anything is read.

    Raises:
        OptionError: every one of them.
    """
    all_of(lambda: check_sinks(options.report_to), lambda: _refuse_idle(options))


def _refuse_idle(options: TrainOptions) -> None:
    idle = {  # what options whose names begin so need, and whether it is there
        "contrastive_": ("--contrastive", options.contrastive != "none"),
        "contrastive_prototypes": ("--contrastive swav", options.contrastive in ("none", "swav")),
        "meta_": ("--meta", bool(options.meta)),
        "margin_": ("--margin", options.margin != "none"),
        "margin_decay": ("--margin running", options.margin in ("none", "running")),
        "lora_": ("--tuning lora", options.tuning == "lora"),
    }
    mistakes = [
        f"--{name.replace('_', '-')} does nothing without {needs}"
        for start, (needs, there) in idle.items()
        for name in given(options)
        if name.startswith(start) and not there
    ]
    mistakes += _idle(options, set(given(options)))
    top = options.loss_options.get("top_k", 1)
    if top < 1 or top % 1:
        mistakes.append(f"loss_options: top_k is a whole number of places, at least 1, not {top:g}")
    if mistakes:
        raise OptionError(mistakes)
    if options.meta_layout:
        catalog.load(layouts.__name__, options.meta_layout)  # an unknown one is refused before a model is loaded


def _idle(options: TrainOptions, named: set[str]) -> list[str]:
    """Options that others take the place of."""
    found = []
    if options.eval and options.held_out and "held_out" in named:
        found.append("held_out does nothing beside --eval, which is what is held out")
    if not options.pointwise_coefficient and "rating" in named:
        found.append("rating does nothing with --pointwise-coefficient 0")
    if options.lr_scheduler_type == "constant" and "min_lr_ratio" in named:
        found.append("min_lr_ratio does nothing with --lr-scheduler-type constant")
    for fixed in {"a", "b"} & set(options.loss_options):
        if "prior" in options.loss_options:
            found.append(f"loss_options: prior does nothing where {fixed} is fixed")
    return found


def extras_for(
    options: TrainOptions, loaded: Any, prepared: Prepared, objective: Objective, way: Way, *, sharded: bool,
    columns: Mapping[str, str] | None = None,
) -> Extras:  # fmt: skip
    """The parts asked for; what a contrastive part learns joins the objective's parameters.

    Raises:
        OptionError: FSDP, or a second derivative through a model that cannot read token trees.
    """
    mistakes = []
    if sharded and options.contrastive != "none":
        mistakes.append("contrastive: not under FSDP, whose processes hold no whole weights")
    if sharded and options.meta:
        mistakes.append("meta: not under FSDP, whose processes hold no whole weights")
    if options.meta and options.meta_order == "exact" and way != "tree":
        mistakes.append("meta_order exact: a model that cannot read token trees has no second derivative here")
    if mistakes:
        raise OptionError(mistakes, advice="start several processes without FSDP, or take --meta-order first")
    width = last_layer(inner(loaded.model)).in_features
    contrast = contrast_for(options, width, kind_for(options.contrastive_noise, way))
    if contrast is not None:
        objective.parameters.update(contrast.parameters)
    ascent = None
    if options.meta:
        groups: Unlabelled = unlabelled(options, loaded.policy, columns=columns, held=prepared.held.groups.tolist())
        ascent = Ascent(groups, options.meta_eta, options.meta_order)
    return Extras(labels_for(prepared.train.columns, options, objective), contrast, ascent)
