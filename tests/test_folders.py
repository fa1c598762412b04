"""Folders are published whole or not at all, whichever system call fails."""

import builtins
import errno
import os

import pytest

from plaudit.errors import PlauditError
from plaudit.folders import SEAL, is_sealed, publish, refuse_unwritable, sealed_folders, write_file


class Failing:
    """Lets the n-th call of write, fsync or rename fail with a full disk; counts the calls."""

    def __init__(self, monkeypatch, n):
        self.left = n
        for name in ("fsync", "rename", "replace"):
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))
        real_open = builtins.open

        def opening(file, mode="r", *args, **kwargs):
            handle = real_open(file, mode, *args, **kwargs)
            return Writer(handle, self, file) if set(mode) & set("wa+") else handle

        monkeypatch.setattr(builtins, "open", opening)

    def count(self, name):
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(name))

    def wrap(self, real):
        def call(*args, **kwargs):
            self.count(args[0])
            return real(*args, **kwargs)

        return call


class Writer:
    """A file whose writes are counted."""

    def __init__(self, handle, failing, name):
        self._handle, self._failing, self._name = handle, failing, name

    def write(self, data):
        self._failing.count(self._name)
        return self._handle.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self._handle.close()

    def __getattr__(self, name):
        return getattr(self._handle, name)


def fill(folder, text):
    with open(folder / "a.txt", "w") as f:
        f.write(text)
    (folder / "sub").mkdir()
    with open(folder / "sub" / "b.txt", "w") as f:
        f.write(text * 2)


def test_every_failure_leaves_the_old_folder_whole(tmp_path):
    target = tmp_path / "run" / "final"
    with publish(target) as part:
        fill(part, "old")
    finished = False
    for n in range(1, 60):
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, n)
            try:
                with publish(target, replace=True) as part:
                    fill(part, "new")
                finished = True
            except PlauditError as error:
                assert str(tmp_path) in str(error), n
                assert "No space left" in str(error)
            reached = failing.left > 0
        assert is_sealed(target, deep=True), n
        text = (target / "a.txt").read_text()
        assert (target / "sub" / "b.txt").read_text() == text * 2
        if reached:
            break
        assert [p.name for p in target.parent.iterdir() if p.name.startswith(".")] in ([], [".final.old"])
    assert finished
    assert n > 8
    assert text == "new"


def test_write_file_is_the_old_one_or_the_new_one(tmp_path):
    path = tmp_path / "f"
    write_file(path, b"old")
    for n in range(1, 10):
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, n)
            try:
                write_file(path, b"new")
            except PlauditError as error:
                assert str(path) in str(error)
            reached = failing.left > 0
        assert path.read_bytes() in (b"old", b"new")
        assert list(tmp_path.iterdir()) == [path]
        if reached:
            break
    assert path.read_bytes() == b"new"


def test_a_folder_in_the_way_is_never_overwritten(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(PlauditError, match="exists already"), publish(tmp_path / "x"):
        raise AssertionError("never reached")


def test_seals_name_what_changed(tmp_path):
    with publish(tmp_path / "checkpoint-10") as part:
        fill(part, "a")
    with publish(tmp_path / "checkpoint-9") as part:
        fill(part, "b")
    (tmp_path / "checkpoint-11").mkdir()
    whole, skipped = sealed_folders(tmp_path, "checkpoint-*")
    assert [p.name for p in whole] == ["checkpoint-9", "checkpoint-10"]
    assert [p.name for p in skipped] == ["checkpoint-11"]
    (tmp_path / "checkpoint-10" / "grown.jsonl").write_text("may grow")
    assert is_sealed(tmp_path / "checkpoint-10", deep=True)
    (tmp_path / "checkpoint-10" / "a.txt").write_text("b")
    assert is_sealed(tmp_path / "checkpoint-10")  # the size is the same
    assert not is_sealed(tmp_path / "checkpoint-10", deep=True)
    (tmp_path / "checkpoint-10" / SEAL).unlink()
    assert not is_sealed(tmp_path / "checkpoint-10")


def test_an_exception_inside_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), publish(tmp_path / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_appears_meanwhile_is_left_alone(tmp_path):
    target = tmp_path / "D"

    def run():
        with publish(target) as part:
            (part / "ours").write_text("x")
            target.mkdir()
            (target / "theirs").write_text("y")

    with pytest.raises(PlauditError, match="appeared meanwhile") as told:
        run()
    assert [p.name for p in target.iterdir()] == ["theirs"]
    (beside,) = (p for p in tmp_path.iterdir() if p != target)
    assert str(beside) in str(told.value)
    assert (beside / "ours").exists()
    (tmp_path / ".E.old").mkdir()  # moved aside by a crash: it is the folder's content, not a free place
    with pytest.raises(PlauditError, match="exists already"), publish(tmp_path / "E"):
        pass
    assert (tmp_path / "E").is_dir()


def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlauditError, match="cannot be written"):
        refuse_unwritable(tmp_path / "file" / "inside" / "deep")
    refuse_unwritable(tmp_path / "new" / "deep")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]  # no trace
