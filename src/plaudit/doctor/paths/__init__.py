"""Ways to a score, one file each: `scores(subject) -> [N]` (or [K, N] for K runs), `ADVICE` for when they deviate.

A path that does not apply raises `SkipCheck` with the reason. One whose arithmetic is rougher by nature has
`ALLOWANCE`, a factor on the tolerance, and says `WHY`.
"""
