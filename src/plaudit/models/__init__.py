"""Tokens and weights; knows no preference files."""
