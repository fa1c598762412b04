"""Files that appear together, whole or not at all, and never in place of another."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from plaudit.data.sinks import claim
from plaudit.errors import OptionError, PlauditError


class Part:
    """A hidden sibling of `target` that is being written; packed when the target's name ends with .gz."""

    def __init__(self, target: Path, *, packed: bool | None = None) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part-{os.getpid()}")
        self._file = open(self.path, "wb")  # noqa: SIM115 - closed by `finish` or `abandon`
        packed = target.name.lower().endswith(".gz") if packed is None else packed
        self._out: Any = gzip.GzipFile("", "wb", 6, self._file, mtime=0) if packed else self._file

    def write(self, data: bytes) -> None:
        self._out.write(data)

    def finish(self) -> None:
        """Close it on the disk; it has no name yet."""
        if self._out is not self._file:
            self._out.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError, ValueError):
            self._file.close()
        self.path.unlink(missing_ok=True)


def refuse_existing(*targets: Path) -> None:
    """Raise for the first target that is there already."""
    for target in targets:
        if target.exists() or target.is_symlink():
            raise PlauditError(f"{target} exists already", advice="choose another name, or remove it first")


def refuse_other_kind(source: str, target: Path, form: str) -> None:
    """Raise where the name of what is written says another kind than that of the file that came in."""
    name = target.name.lower()
    kinds = {"parquet": (".parquet",), "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz")}
    wanted = kinds.get(form)
    other = tuple(suffix for kind, suffixes in kinds.items() if kind != form for suffix in suffixes)
    if (wanted and not name.endswith(wanted)) or (not wanted and name.endswith(other)):
        what = form if wanted else "JSON"
        raise OptionError(
            [f"--output {target.name}: {source} is {what}, and repair writes the kind that came in"],
            advice="plaudit convert changes the kind",
        )


@contextmanager
def parts(*targets: Path) -> Iterator[tuple[Part, ...]]:
    """A part for each target; on leaving they take their names in this order, or none does.

    Raises:
        PlauditError: a target exists already, or the disk refuses.
    """
    refuse_existing(*targets)
    made: list[Part] = []
    named: list[Path] = []
    try:
        for target in targets:
            made.append(Part(target))
        yield tuple(made)
        for part in made:
            part.finish()
        for part in made:
            claim(part.path, part.target)
            named.append(part.target)
    except BaseException as error:
        for target in named:
            target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            taken = error.filename2 or _plain(error.filename, targets)
            raise PlauditError(f"{taken} exists already", advice="choose another name, or remove it first") from error
        if isinstance(error, OSError):
            name = _plain(error.filename, targets)
            raise PlauditError(f"{name}: cannot be written: {error.strerror or error}") from error
        raise
    finally:
        for part in made:
            part.abandon()


def _plain(name: Any, targets: tuple[Path, ...]) -> str:
    """The target that a hidden sibling stands for."""
    for target in targets:
        if name and Path(str(name)).name.startswith(f".{target.name}.part-"):
            return str(target)
    return str(name or targets[0])
