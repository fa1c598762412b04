"""Checks that need no model, one file each: `check(columns..., *, options...) -> Finding`.

Columns: `outline` (data.outline.Outline), `preferences` (list of Preference, in the outline's order), `equal_pairs`
(`findings.Equal`: comparisons whose two responses are the same tokens to the model), `against` (preferences of a
benchmark, which may have no responses).
"""
