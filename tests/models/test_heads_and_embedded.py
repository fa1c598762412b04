"""Every head and every embedded model keeps its room's promises."""

import pytest

from families import FAMILIES, tiny_family
from plaudit import catalog
from plaudit.models.embedded import ROOM, _contract
from plaudit.models.heads import _contract as of_heads

HEADS = "plaudit.models.heads"


@pytest.fixture(scope="module")
def model():
    built = {}
    return lambda name: built.setdefault(name, tiny_family(name)[0])


@pytest.mark.parametrize("family", [*FAMILIES, "roberta"])
@pytest.mark.parametrize("check", of_heads.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", catalog.names(HEADS))
def test_every_head(name, check, family, model):
    check(catalog.load(HEADS, name), model(family))


@pytest.mark.parametrize("check", _contract.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", catalog.names(ROOM))
def test_every_embedded_model(name, check):
    check(catalog.load(ROOM, name))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "tiny" else pytest.mark.slow) for n in catalog.names(ROOM)]
)
def test_what_is_built_loads(name, tmp_path):
    _contract.builds(catalog.load(ROOM, name), tmp_path)
