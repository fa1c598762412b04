"""Silent defects, one file each: `diagnose(subject) -> Finding`; `SkipCheck` with the reason if none can be told."""
