"""What tests share: where real data lies, and one thread per worker."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real preference data; tests that need it say when they skip."""
    folder = os.environ.get("PLAUDIT_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PLAUDIT_DATA names no folder of real data")
    return Path(folder)
