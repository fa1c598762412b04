"""Prices scorers."""
