"""LoRA through peft, with the scoring head trained and saved beside the adapters, and merging back into plain weights.

W' = W + (alpha / r) B A, with A [r, in] drawn uniformly in ±1/sqrt(in) from a named seed and B [out, r] zero, so that a
model with fresh adapters scores as before. Paper: Hu et al. 2021, LoRA, section 4.1.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from plaudit.errors import OptionError
from plaudit.models.quiet import quiet
from plaudit.seeds import generator


def attach(
    model: Any, *, r: int = 16, alpha: float = 32.0, dropout: float = 0.0, targets: str | Sequence[str] = "all-linear",
    seed: int = 0, whole: Sequence[str] = (),
) -> Any:  # fmt: skip
    """The model inside a peft wrapper: adapters and head are trainable, all else is frozen.

    `targets`: names of modules that get adapters, or "all-linear". The task type makes peft train and save the head:
    without it the head would stay random and would not be saved. `whole`: modules that are treated like the head,
    because the base's files lack them: whoever loads the adapters would draw others.

    Raises:
        OptionError: no module has one of these names.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    names = targets if isinstance(targets, str) else list(targets)
    scale: Any = alpha  # declared an int, any number works
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=r, lora_alpha=scale, lora_dropout=dropout, target_modules=names,
        fan_in_fan_out=_has_conv1d(model), modules_to_save=list(whole) or None,
        exclude_modules=rf"(.*\.)?({'|'.join(whole)})(\..*)?" if whole else None,
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        try:
            wrapped = get_peft_model(model, config)
        except ValueError as error:
            raise OptionError([f"lora_targets {targets!r}: {str(error).splitlines()[0]}"]) from error
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if ".lora_A." in name:
                bound = weight.shape[1] ** -0.5
                draw = generator(seed, f"lora {name}").uniform(-bound, bound, tuple(weight.shape))
                weight.copy_(torch.from_numpy(draw))
    return wrapped


def is_adapted(model: Any) -> bool:
    """Whether the model is a peft wrapper."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


def merge(model: Any) -> Any:
    """A copy of the plain model with the adapters added into its weights; the wrapper given stays as it is."""
    return copy.deepcopy(model).merge_and_unload() if is_adapted(model) else model


def merged_state(model: Any) -> dict[str, Tensor]:
    """The state of the merged model, computed beside the running one, which is not touched by a bit."""
    if not is_adapted(model):
        return model.state_dict()
    plain = {}
    for name, value in model.get_base_model().state_dict().items():
        if ".lora_" in name or ".original_module." in f".{name}":
            continue
        plain[name.replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")] = value
    for name, delta in _deltas(model.get_base_model()):
        plain[f"{name}.weight"] = plain[f"{name}.weight"] + delta
    return plain


def _deltas(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    from peft.tuners.lora import LoraLayer

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            for adapter in module.active_adapters:
                with torch.no_grad():
                    yield name, module.get_delta_weight(adapter)  # type: ignore[attr-defined]


def _has_conv1d(model: nn.Module) -> bool:
    """GPT-2 stores its matrices transposed."""
    return any(type(m).__name__ == "Conv1D" for m in model.modules())
