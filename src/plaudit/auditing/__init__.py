"""Prices preferences: a committee on frozen features votes on every comparison it never saw."""
