# ruff: noqa: F401 - what is imported for type checkers is public through _HOMES
"""plaudit: which preferences to trust, and reward models that hold up.

Importing this package loads nothing heavy; each name below is fetched from its room on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Message": "plaudit.records",
    "Preference": "plaudit.records",
    "Steps": "plaudit.records",
    "PlauditError": "plaudit.errors",
    "DataError": "plaudit.errors",
    "read": "plaudit.data.read",
    "audit": "plaudit.auditing.audit",
    "repair": "plaudit.auditing.repair",
    "train": "plaudit.training.loop",
    "evaluate": "plaudit.evaluation.evaluate",
    "load": "plaudit.rewards.load",
    "examine": "plaudit.doctor.examine",
}
__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from plaudit.auditing.audit import audit
    from plaudit.auditing.repair import repair
    from plaudit.data.read import read
    from plaudit.doctor.examine import examine
    from plaudit.errors import DataError, PlauditError
    from plaudit.evaluation.evaluate import evaluate
    from plaudit.records import Message, Preference, Steps
    from plaudit.rewards.load import load
    from plaudit.training.loop import train


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'plaudit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
