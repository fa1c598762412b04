"""One optimiser step, in one way per file."""
