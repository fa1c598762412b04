"""Targets and margins that move while a model is trained: one file each, pure, chosen by name.

A part is a module with `relabel(columns..., *, options...) -> (target, margin)`, all float64 [P], one row a comparison.
Positional names are columns, supplied by name: `target`, `margin`, `gap` (the score of `better` minus that of `worse`),
`weight`, `strength`, `mean` (what the part remembers). `WHEN` says when it is asked: before the loss of every step,
over the comparisons of that step, or after every epoch, over all of them. A part that remembers also holds
`remember(mean, target, gap, weight, *, options...) -> float`, called after every step. No gradient passes through any
of this: the columns are numbers when the loss reads them. `_contract.py` says what every one of them promises.
"""
