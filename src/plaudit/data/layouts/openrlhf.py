"""OpenRLHF: its default keys `chosen` and `rejected` hold whole conversations, with an optional `margin`.

The rows are those of `trl_implicit` and are detected as such; this is the form to write, because with OpenRLHF's
defaults (no prompt key) anything else trains without the prompt.
"""

from plaudit.data.layouts import trl_implicit
from plaudit.data.layouts._fields import Row
from plaudit.data.layouts.trl_implicit import parse, swap, write

DETECTED_AS = "trl_implicit"
HOLDS = trl_implicit.HOLDS
READ_BY_TOOL = frozenset({"margin"})
PARQUET = trl_implicit.PARQUET

__all__ = ["parse", "recognises", "swap", "usage", "write"]


def recognises(row: Row) -> bool:
    return False  # nothing tells it from trl_implicit, which reads it


def usage(path: str) -> str:
    """How OpenRLHF is told to read the file."""
    return f"--data.dataset {path} --data.apply_chat_template (the default keys: chosen, rejected, no prompt key)"
