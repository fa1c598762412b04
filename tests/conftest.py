"""What tests share: where real data lies, one thread per worker, and how many examples a property is tried on."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("whole", deadline=None)  # a machine that is busy is no fault of the property
settings.register_profile("quick", max_examples=25, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """`make check` tries every property on a quarter of the examples that `make test` tries it on."""
    settings.load_profile("quick" if config.option.markexpr == "not slow" else "whole")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real preference data; tests that need it say when they skip."""
    folder = os.environ.get("PLAUDIT_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PLAUDIT_DATA names no folder of real data")
    return Path(folder)
