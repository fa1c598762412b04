"""Columns become losses; pure tensors in, one value per comparison, list or point out."""
