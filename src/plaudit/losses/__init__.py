"""Columns in, one loss value per pair, list or rating out: one file each, pure, chosen by name.

A loss is a module with `loss(columns..., *, options...)`. Its positional names say what kind it is:
`chosen, rejected, target, margin[, tie]` [P] is a pair loss, `scores, group, ranks` [N] a list loss with one value per
group, `scores, ratings` [N, A] a point loss. `_contract.py` says what every one of them promises.
"""
