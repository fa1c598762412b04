"""What every embedded model promises: `for check in CHECKS: check(module)`, and `builds` where its files can be had.

A module holds `VERSION, KIND, PARAMETERS, SIZE, LICENCE` (SIZE in bytes on disk) and `build(folder)`, which fills an
empty folder with an ordinary transformers model and its tokenizer: the trunk, no trained scoring head, no pickles.
"""

from inspect import signature
from pathlib import Path
from types import ModuleType


def described(module: ModuleType) -> None:
    """Its facts are there, and the first line of its docstring says what it is."""
    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert module.KIND in ("encoder", "decoder")
    assert isinstance(module.VERSION, str)
    assert module.VERSION
    assert module.PARAMETERS > 0
    assert module.SIZE > 0
    assert module.LICENCE
    assert list(signature(module.build).parameters) == ["folder"]


def builds(module: ModuleType, folder: Path) -> None:
    """The folder loads as a model to train: of that kind, of that many parameters, pad and end mark distinct."""
    from plaudit.models.backbone import load_backbone

    module.build(folder)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.1 * module.SIZE
    loaded = load_backbone(folder, for_training=True)
    assert sum(p.numel() for p in loaded.model.base_model.parameters()) == module.PARAMETERS
    assert loaded.policy.encoder == (module.KIND == "encoder")
    assert loaded.policy.pad_id is not None
    assert loaded.policy.pad_id != loaded.tokenizer.eos_token_id


CHECKS = [described]
