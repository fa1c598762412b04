"""Treatments: one file each, named by the file. Columns in, `Targets` out; several are applied in the order named."""
