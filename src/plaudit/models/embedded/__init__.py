"""Models that ship inside PyPI packages, or are random."""
