"""The surface is frozen: a new command, flag or config key is a decision, not an accident.

PLAUDIT_SNAPSHOT=1 python -m pytest tests/test_snapshot.py    # accept today's surface
"""

import json
import os
from pathlib import Path

from plaudit.cli import COMMANDS, app

KEPT = Path(__file__).parent / "snapshot.json"


def surface() -> dict[str, list[str]]:
    """Every flag and positional of every command."""
    table = app()
    return {
        name: sorted(flag for argument in table[name].assemble_argument_collection() for flag in argument.names)
        for name in COMMANDS
    }


def test_commands_and_flags_are_those_decided():
    found = surface()
    if os.environ.get("PLAUDIT_SNAPSHOT"):
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(KEPT.read_text())
