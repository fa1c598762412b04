"""The folder is the registry: a part is a file in its room, found by name."""

import ast
from difflib import get_close_matches
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

from plaudit.errors import OptionError


def _folder(room: str) -> Path:
    spec = util.find_spec(room)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{room} is not a room")
    return Path(next(iter(spec.submodule_search_locations)))


def names(room: str) -> list[str]:
    """Parts of a room, sorted; files that begin with an underscore are not parts.

    >>> "bradley_terry" in names("plaudit.losses")
    True
    """
    return sorted(p.stem for p in _folder(room).glob("*.py") if not p.stem.startswith("_"))


def load(room: str, name: str) -> ModuleType:
    """The part of that name (dashes and underscores are the same), or an error that names the nearest."""
    known = names(room)
    wanted = name.replace("-", "_")
    if wanted not in known:
        near = get_close_matches(wanted, known, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        room_name = room.rsplit(".", 1)[-1]
        what = {"losses": "loss", "embedded": "model"}.get(room_name, room_name.rstrip("s"))
        raise OptionError([f"unknown {what} {name!r}{hint}"], advice="known: " + ", ".join(known))
    return import_module(f"{room}.{wanted}")


def summary(room: str, name: str) -> str:
    """First docstring line of a part, read without importing it."""
    tree = ast.parse((_folder(room) / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n", 1)[0]
