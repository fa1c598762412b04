"""Every path and every diagnosis keeps its room's promises; a path that batches tells a model swayed by its batch."""

from importlib.util import find_spec

import pytest
import torch
from patients import SHORT, swayed

from plaudit import catalog
from plaudit.doctor.defects import _contract as of_defects
from plaudit.doctor.examine import DEFECTS, PATHS, examine
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


RIGHT = {"batched", "right-padded"} | ({"trl"} if find_spec("trl") else set())
COMPANY = {
    "how many stand beside it": (
        lambda ids, mask: torch.full((len(ids),), 0.1 * (len(ids) - 1)),
        RIGHT | {"left-padded"},
    ),
    "padding after it": (lambda ids, mask: 0.1 * (mask[:, -1] == 0), RIGHT),
    "padding before it": (lambda ids, mask: 0.1 * (mask[:, 0] == 0), {"left-padded"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", COMPANY)
def test_a_model_that_is_swayed_by_its_batch_fails_where_it_is_batched(what, healthy, monkeypatch):
    by, where = COMPANY[what]
    swayed(monkeypatch, by)
    names = [name.replace("_", "-") for name in catalog.names(PATHS)]
    report = examine(healthy("llama"), longest=SHORT, only=names)
    failed = {c.name: c.deviation for c in report.checks if c.status == "fail"}
    assert set(failed) == where
    assert all(deviation > 1e-3 for deviation in failed.values())
    assert {c.name for c in report.checks if c.status == "pass"} == {"loads", *names} - where - ({"trl"} - RIGHT)
