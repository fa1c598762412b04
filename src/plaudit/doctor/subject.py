"""The checkpoint on the table: its files as anybody reads them, and the model as plaudit reads it."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit import folders
from plaudit.doctor.conversations import Sample, sample
from plaudit.doctor.findings import SkipCheck
from plaudit.doctor.reading import alone
from plaudit.errors import OptionError, PlauditError
from plaudit.models import embedded, foreign
from plaudit.models.backbone import DTYPES, Loaded, load_backbone, read_facts, resolve
from plaudit.models.device import place
from plaudit.models.quiet import quiet

HEADS = ("score.", "classifier.")


@dataclass
class Subject:
    """One checkpoint.

    `folder` holds the files that were named; `base` is the folder or id of the model under LoRA adapters, else the
    same. `config` and `tokenizer` are as transformers alone reads them, None when it cannot. `loaded` is plaudit's
    reading; None, with the `refusal` in words, when there is none.
    """

    folder: Path
    origin: str
    base: str
    adapter: bool
    config: Any
    tokenizer: Any
    loaded: Loaded | None
    refusal: str
    dtype: Literal["float32", "bfloat16"]
    device: str
    longest: int
    trust: dict[str, bool]
    safe: bool | None  # what transformers' `use_safetensors` is to be: None where pickles are allowed

    @property
    def well(self) -> Loaded:
        """The model as plaudit reads it, for checks that run only when there is one."""
        assert self.loaded is not None
        return self.loaded

    @property
    def anew(self) -> str:
        """The command that saves it as everybody can load it."""
        trusted = [f"--{k.replace('_', '-')}" for k, v in self.trust.items() if v]
        pickles = [] if self.safe else ["--allow-pickles"]
        return f"`{' '.join(['plaudit models', shlex.quote(self.origin), '--output-dir NEW', *trusted, *pickles])}`"

    @cached_property
    def facts(self) -> dict[str, Any]:
        return read_facts(self.folder)

    @cached_property
    def raw_config(self) -> dict[str, Any]:
        """`config.json` as it is written; {} where there is none."""
        path = self.folder / "config.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    @cached_property
    def tensors(self) -> dict[str, str]:
        """Names and stored dtypes (F32, BF16, ...) of the folder's weights, from the files' headers alone."""
        from safetensors import safe_open

        found: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name.startswith("value_head"):
                continue
            with safe_open(path, "pt") as f:
                found |= {name: f.get_slice(name).get_dtype() for name in f.keys()}  # noqa: SIM118
        return found

    @property
    def head_tensors(self) -> dict[str, str]:
        """The stored tensors of a scoring head."""
        return {n: d for n, d in self.tensors.items() if any(f".{h}" in f".{n}" for h in HEADS)}

    @cached_property
    def sample(self) -> Sample:
        return sample(self.well.policy, longest=self.longest)

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        """Every sequence read alone: the number that all other paths are held to."""
        return alone(self.well.model, self.sample.ids)

    def of_others(self) -> str:
        """The folder, as others are to load it.

        Raises:
            SkipCheck: adapters whose base has a name that plaudit alone knows.
        """
        if self.adapter and self.base in embedded.names():
            raise SkipCheck(
                f"the adapters' base is called {self.base!r}, a name that plaudit alone knows: {self.anew} merges "
                f"them; or `plaudit models {self.base} --output-dir BASE`, and name BASE in adapter_config.json"
            )
        return str(self.folder)

    def plain_model(self, **options: Any) -> Any:
        """The folder as `AutoModelForSequenceClassification.from_pretrained` reads it, in eval mode."""
        from transformers import AutoModelForSequenceClassification

        options = {"dtype": DTYPES[self.dtype], "use_safetensors": self.safe, **self.trust, **options}
        with quiet():
            model = AutoModelForSequenceClassification.from_pretrained(self.of_others(), **options)
        return model.to(self.device).eval()

    def plain_tokenizer(self) -> Any:
        """A tokenizer of its own for a path that changes it."""
        return read_tokenizer(self.folder, resolve(self.base)[0], self.trust)


def open_subject(
    checkpoint: str | Path, *, dtype: Literal["float32", "bfloat16"], device: str, longest: int,
    trust_remote_code: bool, allow_pickles: bool,
) -> Subject:  # fmt: skip
    """Read a checkpoint both ways.

    Raises:
        PlauditError: neither plaudit nor transformers can load anything there.
    """
    source, origin = resolve(checkpoint)
    trust = {"trust_remote_code": trust_remote_code}
    folder = _local(source, origin, more=["*.py"] * trust_remote_code + ["*.bin"] * allow_pickles)
    base, adapter = foreign.adapter_base(str(folder))
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    there = resolve(base)[0]
    config, tokenizer = _read_config(there, trust), read_tokenizer(folder, there, trust)
    loaded, refusal = None, ""
    try:
        loaded = load_backbone(checkpoint, dtype=dtype, allow_pickles=allow_pickles, check_seal=False, **trust)
        place(loaded.model, device)
    except OptionError:
        raise
    except PlauditError as error:
        refusal = str(error).replace("\n", ";")
    found = Subject(folder, origin, base, adapter is not None, config, tokenizer, loaded, refusal, dtype, device,
                    longest, trust, None if allow_pickles else True)  # fmt: skip
    if loaded is None:
        _loadable(found)
    return found


def _local(source: str, origin: str, *, more: Sequence[str]) -> Path:
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(source, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", *more])
        )
    except Exception as error:  # the hub's client has many ways to say no
        reason = f"{origin}: no local folder, and it cannot be had from the hub ({type(error).__name__})"
        raise PlauditError(reason, advice="name a folder that holds a checkpoint") from error


def _read_config(base: str, trust: dict[str, bool]) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(base, **trust)
    except Exception:  # strangers' files raise anything; what plaudit's own reading says is the message
        return None


def read_tokenizer(folder: Path, base: str, trust: dict[str, bool]) -> Any:
    """The tokenizer as transformers alone reads it, the adapters' own if they have one; None when it cannot."""
    from transformers import AutoTokenizer

    own = (folder / "tokenizer_config.json").is_file()
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(str(folder) if own else base, **trust)
    except Exception:  # as above
        return None


def _loadable(subject: Subject) -> None:
    """Go on only when at least transformers reads it."""
    if (subject.folder / folders.SEAL).exists() and not folders.is_sealed(subject.folder):
        raise PlauditError(
            f"{subject.origin} is damaged: files differ from its {folders.SEAL}; {subject.refusal}",
            advice="copy it again, or take another checkpoint of the run",
        )
    try:
        subject.plain_model()
    except Exception as error:
        raise PlauditError(subject.refusal) from error
