"""Scorers that are not trained weights, and how to load any scorer."""
