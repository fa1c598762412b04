"""Models that ship inside PyPI packages, or are random: built once into the cache, then ordinary local folders.

A part is a file with `VERSION, KIND, PARAMETERS, SIZE, LICENCE` (SIZE in bytes on disk) and `build(folder)`.
"""

import os
import sys
from pathlib import Path

from plaudit import catalog, folders
from plaudit.errors import PlauditError

ROOM = "plaudit.models.embedded"


def names() -> list[str]:
    """The embedded models, by the names users type.

    >>> names()
    ['minilm-l6', 'smollm2-135m', 'tiny']
    """
    return [name.replace("_", "-") for name in catalog.names(ROOM)]


def cache() -> Path:
    """Where built models live: `PLAUDIT_CACHE`, else the platform's cache folder."""
    if chosen := os.environ.get("PLAUDIT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "plaudit" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "plaudit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plaudit"


def place(name: str) -> Path:
    """The folder of that model in the cache, built or not."""
    part = catalog.load(ROOM, name)
    return cache() / "models" / f"{part.__name__.rsplit('.', 1)[-1].replace('_', '-')}-{part.VERSION}"


def is_cached(name: str) -> bool:
    """Whether it is built already."""
    return folders.is_sealed(place(name))


def path(name: str) -> Path:
    """The model's folder, built into the cache when it is not there: `AutoModel.from_pretrained(path(name))` works.

    Raises:
        OptionError: no such model; the nearest name is given.
        PlauditError: its package could not be fetched or read; the message holds the command to run.
    """
    part, target = catalog.load(ROOM, name), place(name)
    folders.recover(target)
    if folders.is_sealed(target):
        return target
    try:
        with folders.publish(target, replace=True) as folder:
            part.build(folder)
    except PlauditError:
        if not folders.is_sealed(target):  # else another process has just built it
            raise
    return target
