"""Many LoRA adapters on one trunk: a committee of them takes the memory of one model and a little more."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from numpy.typing import NDArray

from plaudit.folders import file_digest
from plaudit.models.backbone import load_backbone
from plaudit.models.device import place
from plaudit.models.foreign import WEIGHTS, heads_of
from plaudit.models.quiet import quiet
from plaudit.models.score import ModelScorer
from plaudit.records import Preference, digest


class Adapted:
    """One set of adapters, with its head, on a trunk that it shares with others; a `Scorer`."""

    def __init__(self, trunk: ModelScorer, name: str, fingerprint: str) -> None:
        self.trunk, self.name, self.fingerprint = trunk, name, fingerprint
        self.loaded = trunk.loaded

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One array [N] per preference."""
        self.loaded.model.set_adapter(self.name)
        return self.trunk.score_all(preferences)


def adapted(
    folders: Sequence[Path], *, dtype: Literal["float32", "bfloat16"] = "float32", device: str = "",
    budget: int = 4096, max_length: int | None = None, trust_remote_code: bool = False, allow_pickles: bool = False,
) -> list[Adapted]:  # fmt: skip
    """A scorer for each folder of adapters; all were trained on one base, which is loaded once, as in `load_backbone`.

    Raises:
        PlauditError: the base is not to be had, or a folder's weights are missing.
    """
    for folder in folders:
        heads_of(folder)
    loaded = load_backbone(
        folders[0], merge=False, max_length=max_length, trust_remote_code=trust_remote_code,
        allow_pickles=allow_pickles,
    )  # fmt: skip
    names = ["default", *(f"adapters {k}" for k in range(1, len(folders)))]
    with quiet():
        for name, folder in zip(names[1:], folders[1:], strict=True):
            loaded.model.load_adapter(str(folder), adapter_name=name)
    place(loaded.model, device)
    trunk = ModelScorer(loaded, dtype=dtype, budget=budget)
    return [
        Adapted(trunk, name, digest("adapted", trunk.fingerprint, file_digest(folder / WEIGHTS)))
        for name, folder in zip(names, folders, strict=True)
    ]
