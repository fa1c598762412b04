"""The same number everywhere, or why not: one file per path or defect."""
