"""Folders are published whole: a hidden sibling is filled, synced, sealed with digests, and renamed into place.

Readers believe sealed folders only. The seal names its files, so files that grow later need not be sealed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from plaudit.errors import PlauditError

SEAL = "seal.json"


def file_digest(path: Path) -> str:
    """128-bit digest of a file's bytes, 32 hex digits."""
    h = blake2b(digest_size=16)
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # the system call knows no name
    finally:
        os.close(handle)


def write_file(path: Path, data: bytes) -> None:
    """Write one file so that it is either the old one or the new one, whole."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        with open(part, "wb") as f:
            f.write(data)
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PlauditError(f"{path}: could not be written: {error.strerror or error}") from error


def _seal(folder: Path) -> None:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SEAL)
    digests = {}
    for path in files:
        _sync(path)
        digests[path.relative_to(folder).as_posix()] = {"digest": file_digest(path), "bytes": path.stat().st_size}
    with open(folder / SEAL, "w", encoding="utf-8") as f:
        json.dump({"files": digests}, f, indent=1, sort_keys=True)
    _sync(folder / SEAL)
    for inner in [p for p in folder.rglob("*") if p.is_dir()]:
        _sync(inner)
    _sync(folder)


@contextmanager
def publish(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a hidden sibling of `target` to fill; on leaving it is sealed and renamed to `target`.

    When anything fails, `target` is what it was before and the error names the file. With `replace` an existing
    folder is moved aside first and removed last, so that at every moment one whole folder can be found.
    """
    target = Path(target)
    if target.exists() and not replace:
        raise PlauditError(f"{target} exists already", advice="choose another --output-dir, or remove it first")
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    aside = target.with_name(f".{target.name}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        recover(target)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        yield part
        _seal(part)
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)  # left by a crash after an earlier rename
            os.rename(target, aside)
        os.rename(part, target)
        _sync(target.parent)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        recover(target)
        name = error.filename or target
        raise PlauditError(f"{name}: could not be saved: {error.strerror or error}; {target} is unchanged") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        recover(target)
        raise


def recover(target: Path) -> None:
    """If a crash left `target` moved aside and nothing in its place, move it back."""
    aside = target.with_name(f".{target.name}.old")
    if aside.exists() and not target.exists():
        os.rename(aside, target)


def is_sealed(folder: Path, *, deep: bool = False) -> bool:
    """Whether every file the seal names is there with its size and, when `deep`, its digest."""
    try:
        files = json.loads((Path(folder) / SEAL).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    for name, entry in files.items():
        path = Path(folder) / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            return False
        if deep and file_digest(path) != entry["digest"]:
            return False
    return True


def sealed_folders(parent: Path, pattern: str) -> tuple[list[Path], list[Path]]:
    """(sealed, skipped) sub-folders that match, each sorted by the number in their name, then by name."""

    def key(path: Path) -> tuple[int, str]:
        digits = "".join(c for c in path.name if c.isdigit())
        return (int(digits) if digits else -1, path.name)

    found = sorted((p for p in Path(parent).glob(pattern) if p.is_dir()), key=key)
    return [p for p in found if is_sealed(p)], [p for p in found if not is_sealed(p)]
