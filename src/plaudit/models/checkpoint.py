"""A checkpoint that everybody can load: `<Family>ForSequenceClassification`, one label, regression, safetensors.

With adapters the weights are saved merged and the adapters beside them in `adapter/`, which can be used alone.
`plaudit.json` holds what other tools need not know: digests of the data, the rules of tokenising, mean and spread of
scores, versions.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plaudit import folders
from plaudit.models.backbone import FACTS, read_facts
from plaudit.models.forward import inner
from plaudit.models.lora import is_adapted, merged_state
from plaudit.models.quiet import quiet

FORMAT = 1
ADAPTER = "adapter"
ONE_FILE = "200GB"  # a reward model is one file: model.safetensors

__all__ = ["FACTS", "FORMAT", "read_facts", "save", "write_facts"]


def save(folder: Path, model: Any, tokenizer: Any, facts: Mapping[str, Any]) -> None:
    """Write model, tokenizer with its template, and facts into an existing folder (a part that `folders` publishes).

    `facts` is plain JSON. Nothing of the running model changes. Weights keep their dtype: float32 in training.
    """
    core = inner(model)
    config = core.config
    config.problem_type = "regression"
    name, config._name_or_path = getattr(config, "_name_or_path", ""), ""  # no path of the machine that trained
    try:
        with quiet():
            state = {key: value.detach().cpu().contiguous() for key, value in merged_state(model).items()}
            core.save_pretrained(folder, state_dict=state, max_shard_size=ONE_FILE)
            if getattr(tokenizer, "backend_tokenizer", None) is not None:  # some ship with a silent cut at 128 tokens
                tokenizer.backend_tokenizer.no_truncation()
                tokenizer.backend_tokenizer.no_padding()
            tokenizer.save_pretrained(folder)
            if is_adapted(model):
                model.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
                tokenizer.save_pretrained(folder / ADAPTER)
                (folder / ADAPTER / "README.md").unlink(missing_ok=True)  # an empty form
    finally:
        config._name_or_path = name
    for place in (folder, folder / ADAPTER) if is_adapted(model) else (folder,):
        write_facts(place, facts)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    if is_adapted(model):
        folders.seal(folder / ADAPTER)  # it may be copied away from the folder that is sealed around it


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `plaudit.json`."""
    document = {"format": FORMAT, "versions": _versions(), **facts}
    (folder / FACTS).write_text(json.dumps(document, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")


@cache  # reading a package's metadata takes longer than writing a small checkpoint
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("plaudit", "torch", "transformers", "tokenizers", "peft", "safetensors")}
