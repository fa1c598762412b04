"""What a run starts from: a device, a model whose weights may move, an objective and an optimiser."""

import os
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from plaudit.errors import OptionError
from plaudit.models.backbone import Loaded, load_backbone
from plaudit.models.forward import inner
from plaudit.models.lora import attach
from plaudit.report.terminal import note
from plaudit.training.objective import Objective
from plaudit.training.options import TrainOptions


def accelerator_for(options: TrainOptions) -> Accelerator:
    """An accelerator for these options; a second run in one process may ask for another device or precision.

    Raises:
        OptionError: a device that is not here, several GPUs without a launcher, or FSDP of the first kind.
    """
    alone = "LOCAL_RANK" not in os.environ
    cuda = _cuda(options.device, alone)
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    accelerator = Accelerator(mixed_precision="bf16" if options.dtype == "bfloat16" else "no", cpu=not cuda)
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    if is_sharded(accelerator) and not accelerator.is_fsdp2:
        raise OptionError(["FSDP version 1 is not supported"], advice="set fsdp_version: 2 in accelerate's config")
    if sharded and not is_sharded(accelerator) and accelerator.is_main_process:
        note("FSDP: accelerate shards models on GPUs only; here every process holds the whole model")
    return accelerator


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether every process holds only its part of the weights."""
    return accelerator.distributed_type == "FSDP"


def _cuda(device: str, alone: bool) -> bool:
    """Whether to run on CUDA; a numbered device becomes the current one."""
    kind, _, number = device.partition(":")
    here = torch.cuda.device_count()
    if kind not in ("", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdigit())):
        raise OptionError([f"device: unknown device {device!r}"], advice="known: cpu, cuda, cuda:N")
    if kind == "cuda" and int(number or 0) >= here:
        raise OptionError([f"device: {device} is not here ({here} CUDA devices)"], advice="known: cpu, cuda, cuda:N")
    if kind == "" and here > 1 and alone:
        raise OptionError(
            [f"{here} GPUs are visible and one process was started"],
            advice="`accelerate launch -m plaudit train ...` uses them all; --device cuda:0 uses one",
        )
    if number:
        torch.cuda.set_device(int(number))
    return kind == "cuda" or (kind == "" and here > 0)


def objective_for(options: TrainOptions) -> Objective:
    """The losses asked for, with their options."""
    return Objective(
        pair=options.loss, lists=options.list_loss, points=options.point_loss,
        center=options.center_rewards_coefficient, pointwise_coefficient=options.pointwise_coefficient,
        options=options.loss_options,
    )  # fmt: skip


def ready(model: str, options: TrainOptions) -> Loaded:
    """The model to train: loaded, its head seeded, adapters or freezing as asked."""
    loaded = load_backbone(
        model, seed=options.seed, for_training=True, trust_remote_code=options.trust_remote_code,
        allow_pickles=options.allow_pickles, max_length=options.max_length, dropout=options.dropout,
    )  # fmt: skip
    if options.tuning == "lora":
        targets = options.lora_targets
        loaded.model = attach(
            loaded.model, r=options.lora_r, alpha=options.lora_alpha, dropout=options.lora_dropout,
            targets=targets if targets == "all-linear" else [t.strip() for t in targets.split(",")], seed=options.seed,
            whole=loaded.drawn,
        )  # fmt: skip
    elif options.tuning == "frozen":
        for p in loaded.model.base_model.parameters():
            p.requires_grad_(False)
    if options.gradient_checkpointing and options.tuning != "frozen":  # a frozen trunk keeps no activations
        _recompute(inner(loaded.model))
    return loaded


def _recompute(model: Any) -> None:
    """Recompute activations in the backward pass; transformers renames the call in 5.23."""
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)


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
