"""Whatever fails while a checkpoint is saved, the one before it loads and the error names the file."""

import builtins
import errno
import io
import os
import resource

import pytest

from plaudit.cli import run
from plaudit.folders import is_sealed
from plaudit.rewards.load import load
from small_runs import bits, pairs, write


class Failing:
    """Lets the n-th fsync, rename or opening for writing fail with a full disk."""

    def __init__(self, patch, n):
        self.left, self.name = n, ""
        for name in ("fsync", "rename", "replace"):
            patch.setattr(os, name, self.wrap(getattr(os, name), lambda args: args[0]))
        for module in (builtins, io):  # pathlib opens through io
            patch.setattr(module, "open", self.wrap(open, self.written))

    @staticmethod
    def written(args):
        mode = args[1] if len(args) > 1 else "r"
        return args[0] if isinstance(mode, str) and set(mode) & set("wa+x") else None

    def wrap(self, real, named):
        def call(*args, **kwargs):
            name = named(args)
            if name is not None and ("checkpoint-4" in self.path(name) or "final" in self.path(name)):
                self.left -= 1
                if self.left == 0:
                    self.name = self.path(name)
                    raise OSError(errno.ENOSPC, "No space left on device", self.name)
            return real(*args, **kwargs)

        return call

    @staticmethod
    def path(name):
        return os.readlink(f"/proc/self/fd/{name}") if isinstance(name, int) else str(name)


ARGUMENTS = ["--model", "tiny", "--max-steps", "4", "--batch-size", "4", "--learning-rate", "1e-3", "--device", "cpu",
             "--save-steps", "2", "--save-total-limit", "9", "--held-out", "0"]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    file = write(folder / "a.jsonl", pairs(12))
    assert run(["train", file, "--output-dir", str(folder / "D"), *ARGUMENTS]) == 0
    return file, bits(folder / "D")


@pytest.mark.slow
def test_every_failing_call_of_a_save_leaves_the_checkpoint_before_it(tmp_path, finished, capsys):
    file, expected = finished
    folder = tmp_path / "D"
    assert run(["train", file, "--output-dir", str(folder), *ARGUMENTS[:3], "4", *ARGUMENTS[4:]]) == 0
    for n in range(1, 99):
        for name in ("checkpoint-4", "final"):
            os.rename(folder / name, tmp_path / f"{name}-{n}")
        (folder / "run.json").unlink(missing_ok=True)
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, n)
            status = run(["train", file, "--output-dir", str(folder), "--resume", *ARGUMENTS])
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert is_sealed(folder / "checkpoint-2", deep=True)
        if failing.left > 0:
            break
        assert status == 2, (n, failing.name)
        assert str(tmp_path) in err, (n, failing.name)
        assert "No space left" in err
        assert load(str(folder / "checkpoint-2")).score("q", ["a"])
        assert run(["train", file, "--output-dir", str(folder), "--resume", *ARGUMENTS]) == 0
        assert bits(folder) == expected
    assert n > 20
    assert status == 0


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [1, 40, 200, 500, 900])
def test_a_disk_that_takes_no_more_stops_with_the_name_of_the_file(tmp_path, finished, capsys, kilobytes):
    file, expected = finished
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = tmp_path / "D"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1000, hard))
        status = run(["train", file, "--output-dir", str(folder), *ARGUMENTS])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    err = capsys.readouterr().err
    assert status == 2
    assert str(folder) in err
    assert "could not be" in err
    assert "Traceback" not in err
    assert not list(folder.glob("checkpoint-*"))
    assert run(["train", file, "--output-dir", str(folder), "--resume", *ARGUMENTS]) == 0
    assert bits(folder) == expected
