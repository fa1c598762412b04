"""One file per published benchmark: load, measure, combine."""
