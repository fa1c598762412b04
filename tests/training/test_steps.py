"""Every way of stepping keeps its room's promises."""

import pytest

from plaudit import catalog
from plaudit.training.steps._contract import CHECKS

ROOM = "plaudit.training.steps"


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", catalog.names(ROOM))
def test_every_step(name, check):
    check(catalog.load(ROOM, name))
