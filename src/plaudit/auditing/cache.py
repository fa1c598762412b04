"""Where an audit keeps what is dear: features and votes, in sealed folders of a bounded cache."""

import os
import shutil
from pathlib import Path

from plaudit.models.embedded import cache as home


def folder_of(chosen: Path | None) -> Path:
    """The cache folder of audits: the one chosen, else one in plaudit's own cache folder."""
    return (Path(chosen).expanduser() if chosen else home()) / "audits"


def use(folder: Path) -> None:
    """Mark a sealed folder as used now, so that it is removed last."""
    os.utime(folder)


def prune(cache: Path, most: float) -> int:
    """Remove what was used longest ago until the cache takes at most `most` bytes; how many bytes went."""
    entries = []
    for seal in cache.rglob("seal.json"):
        folder = seal.parent
        if any((above / "seal.json").exists() for above in folder.parents if cache in above.parents):
            continue  # a checkpoint inside an entry goes with it
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        entries.append((folder.stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in entries)
    gone = 0
    for _, size, folder in sorted(entries, key=lambda entry: (entry[0], str(entry[2]))):
        if total - gone <= most:
            break
        shutil.rmtree(folder, ignore_errors=True)
        gone += size
    return gone
