"""How often a property is tried: whole in `make test`, a quarter of it in `make check` (conftest.py)."""

from hypothesis import settings


def examples(whole: int, *, least: int = 4) -> settings:
    """So many examples in `make test`, a share of them in `make check`, `least` at any rate; no deadline."""
    return settings(max_examples=max(min(whole, least), whole * settings().max_examples // 100), deadline=None)
