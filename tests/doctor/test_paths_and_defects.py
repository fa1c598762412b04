"""Every path and every diagnosis keeps its room's promises."""

import pytest
from patients import SHORT

from plaudit import catalog
from plaudit.doctor.defects import _contract as of_defects
from plaudit.doctor.examine import DEFECTS, PATHS
from plaudit.doctor.paths import _contract as of_paths
from plaudit.doctor.subject import open_subject


@pytest.fixture(scope="module")
def subject(healthy):
    """A healthy checkpoint on the table: family -> Subject, opened once."""
    opened = {}

    def of(name):
        if name not in opened:
            opened[name] = open_subject(
                healthy(name), dtype="float32", device="cpu", longest=SHORT, trust_remote_code=False,
                allow_pickles=False,
            )  # fmt: skip
        return opened[name]

    return of


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("check", of_paths.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", catalog.names(PATHS))
def test_every_path(name, check, family, subject):
    check(catalog.load(PATHS, name), subject(family))


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("check", of_defects.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", catalog.names(DEFECTS))
def test_every_diagnosis(name, check, family, subject):
    check(catalog.load(DEFECTS, name), subject(family))
