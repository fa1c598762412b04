"""Fixtures of the doctor's tests: healthy checkpoints, their reports, and copies to make ill."""

import shutil

import pytest
from patients import SHORT, saved

from families import tiny_family
from plaudit.doctor.examine import examine


@pytest.fixture(scope="session")
def healthy(tmp_path_factory):
    """A healthy checkpoint of each family, built once: name -> folder."""
    built = {}

    def build(name):
        if name not in built:
            built[name] = saved(tmp_path_factory.mktemp("doctor") / name, *tiny_family(name))
        return built[name]

    return build


@pytest.fixture(scope="session")
def report(healthy):
    """The report on the healthy checkpoint of a family, made once: name -> Report."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = examine(healthy(name), longest=SHORT)
        return made[name]

    return of


@pytest.fixture
def ill(healthy, tmp_path):
    """A copy of a healthy checkpoint whose files may be changed; its seal and facts are taken off."""

    def copy(name="llama"):
        folder = tmp_path / name
        shutil.copytree(healthy(name), folder)
        (folder / "seal.json").unlink()
        (folder / "plaudit.json").unlink()
        return folder

    return copy
