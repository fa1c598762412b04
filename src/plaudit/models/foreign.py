"""What other tools leave beside a model: LLaMA-Factory's value head, and LoRA adapters in a folder of their own."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plaudit.errors import PlauditError

WEIGHT, BIAS = "v_head.summary.weight", "v_head.summary.bias"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def value_head(folder: Path, *, allow_pickles: bool = False) -> dict[str, Tensor] | None:
    """Weight [1, H] and bias [1] of LLaMA-Factory's `value_head.safetensors` or `.bin`; None where there is none.

    Raises:
        PlauditError: the file is damaged, or a pickle that nobody has allowed.
    """
    safe, pickled = folder / "value_head.safetensors", folder / "value_head.bin"
    path = safe if safe.is_file() else pickled
    if not path.is_file():
        return None
    if path == pickled and not allow_pickles:
        raise PlauditError(
            f"{path}: a pickle, and pickles can run code",
            advice="pass --allow-pickles if you trust it (allow_pickles=True in Python)",
        )
    try:
        if path == safe:
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
        return {"weight": found[WEIGHT].reshape(1, -1), "bias": found.get(BIAS, torch.zeros(1)).reshape(1)}
    except Exception as error:
        raise PlauditError(f"{path}: not a value head ({type(error).__name__}: {error})") from error


def put_in(head: dict[str, Tensor], layer: nn.Linear) -> list[str]:
    """Copy a foreign head into the model's last layer. Returns what was done.

    Decoders' heads have no bias; one number added to every score changes no preference, so it is told, not kept.
    """
    if head["weight"].shape != layer.weight.shape:
        raise PlauditError(
            f"the value head is for width {head['weight'].shape[1]}, the model's width is {layer.weight.shape[1]}"
        )
    bias = float(head["bias"])
    with torch.no_grad():
        layer.weight.copy_(head["weight"])
        if layer.bias is not None:
            layer.bias.copy_(head["bias"])
            bias = 0.0
    told = f"; its scores were higher there by a constant {bias:.6g}" if bias else ""
    return [f"its head was read from another tool's value head{told}"]


def adapter_base(source: str) -> tuple[str, Path | None]:
    """(base model, adapter folder) when `source` is a folder of LoRA adapters, else (source, None)."""
    path = Path(source) / CONFIG
    if not path.is_file() or (Path(source) / "config.json").is_file():
        return source, None
    try:
        base = json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError) as error:
        raise PlauditError(f"{path}: names no base model") from error
    return str(base), Path(source)


def saved_whole(adapter: Path) -> list[str]:
    """The modules that a folder of adapters holds as they are."""
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    return list(config.get("modules_to_save") or ())


def heads_of(adapter: Path) -> dict[str, int]:
    """The heads that a folder of adapters holds, and how many numbers each gives per response.

    Raises:
        PlauditError: its weights are missing.
    """
    from safetensors import safe_open

    weights = adapter / WEIGHTS
    if not weights.is_file():
        raise PlauditError(f"{adapter}: {WEIGHTS} is missing")
    found: dict[str, int] = {}
    with safe_open(weights, "pt") as f:
        for name in f.keys():  # noqa: SIM118 (not a mapping)
            for head in ("score", "classifier"):
                if f".{head}." in f".{name}":
                    rows = f.get_slice(name).get_shape()[0]
                    found[head] = min(found.get(head, rows), rows)  # some heads have a layer before the last
    return dict(sorted(found.items()))


def with_adapter(model: Any, adapter: Path) -> tuple[Any, bool, list[str]]:
    """The base inside peft's wrapper with its adapters, whether they brought a head, and what is to be said."""
    from peft import PeftConfig, PeftModel

    heads = list(heads_of(adapter))
    config: Any = PeftConfig.from_pretrained(str(adapter))
    told = []
    if not heads:
        config.task_type, config.modules_to_save = None, None  # else peft looks for the head and fails
        told.append("the adapters were saved without their head (task_type was not SEQ_CLS); a random one is used")
    elif config.task_type != "SEQ_CLS" and not set(config.modules_to_save or ()) & set(heads):
        config.modules_to_save = [*(config.modules_to_save or ()), *heads]  # else peft leaves the head out
        told.append("the adapters hold a head that their config does not name; it is used")
    wrapped = PeftModel.from_pretrained(model, str(adapter), config=config)
    return wrapped, bool(heads), told
