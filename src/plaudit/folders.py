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
from tempfile import mkdtemp

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


def refuse_unwritable(target: Path, advice: str = "") -> None:
    """Refuse a place where nothing can be written, before long work: a folder is made there and removed again.

    Raises:
        PlauditError: what stands above it is a file, or the system refuses.
    """
    above = Path(target).absolute().parents
    there = next(p for p in above if os.path.lexists(p))
    try:
        os.rmdir(mkdtemp(prefix=".plaudit-", dir=there))
    except OSError as error:
        raise PlauditError(f"{target} cannot be written: {there}: {error.strerror or error}", advice=advice) from error


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


def seal(folder: Path) -> None:
    """Sync every file of a folder and write down its size and digest."""
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
    folder is moved aside first and removed last, so that at every moment one whole folder can be found. Without it a
    folder that came to stand there meanwhile is kept, and what was made gets a name of its own beside it.
    """
    target = Path(target)
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    aside = target.with_name(f".{target.name}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        recover(target)
        if target.exists() and not replace:
            raise PlauditError(f"{target} exists already", advice="choose another --output-dir, or remove it first")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        yield part
        seal(part)
        if target.exists() and not replace:
            beside = target.with_name(f"{target.name}-{os.getpid()}")
            os.rename(part, beside)
            raise PlauditError(f"{target} appeared meanwhile and was left alone; this run's folder is {beside}")
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


def meant(folder: Path, *files: str) -> str:
    """A hint at the folder inside that holds one of these files, `final` first; empty where there is none."""
    inner = sorted(path.parent.name for file in files for path in Path(folder).glob(f"*/{file}"))
    return f"did you mean {folder / ('final' if 'final' in inner else inner[0])}?" if inner else ""


def is_sealed(folder: Path, *, deep: bool = False) -> bool:
    """Whether every file the seal names is there with its size and, when `deep`, its digest."""
    files = _named_by_seal(Path(folder))
    return files is not None and all(_is_whole(Path(folder) / n, entry, deep=deep) for n, entry in files.items())


def changed_files(folder: Path, inside: str = "") -> list[str]:
    """Files (with `inside`: of that sub-folder) that are not what the folder's seal says, every byte of them read.

    The seal itself when it cannot be read.
    """
    files = _named_by_seal(Path(folder))
    if files is None:
        return [] if inside else [SEAL]
    mine = {name: entry for name, entry in files.items() if name.startswith(f"{inside}/" if inside else "")}
    return [name for name, entry in mine.items() if not _is_whole(Path(folder) / name, entry, deep=True)]


def refuse_changed(folder: Path) -> None:
    """Read every file that a seal names and refuse the folder when one differs; without a seal there is no question.

    A folder inside a sealed one (a committee in its audit, adapters in their checkpoint) goes by the seal above it.

    Raises:
        PlauditError: files differ; the first three are named.
    """
    here = Path(folder).absolute()
    home, inside = (here, "") if (here / SEAL).exists() else (here.parent, here.name)
    changed = changed_files(home, inside) if (home / SEAL).exists() else []
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise PlauditError(
            f"{folder} is damaged: files differ from its {SEAL}: {', '.join(changed[:3])}{more}",
            advice="copy it again, or make it again; plaudit doctor looks at all of it",
        )


def _named_by_seal(folder: Path) -> dict[str, dict] | None:
    """The entries of a folder's seal by file; None when there is none that can be read."""
    try:
        found = dict(json.loads((folder / SEAL).read_text(encoding="utf-8"))["files"])
        return {name: {"bytes": entry["bytes"], "digest": entry["digest"]} for name, entry in found.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(path: Path, entry: dict, *, deep: bool) -> bool:
    if not path.is_file() or path.stat().st_size != entry["bytes"]:
        return False
    return not deep or file_digest(path) == entry["digest"]


def sealed_folders(parent: Path, pattern: str) -> tuple[list[Path], list[Path]]:
    """(sealed, skipped) sub-folders that match, each sorted by the number in their name, then by name."""

    def key(path: Path) -> tuple[int, str]:
        digits = "".join(c for c in path.name if c.isdigit())
        return (int(digits) if digits else -1, path.name)

    found = sorted((p for p in Path(parent).glob(pattern) if p.is_dir()), key=key)
    return [p for p in found if is_sealed(p)], [p for p in found if not is_sealed(p)]
