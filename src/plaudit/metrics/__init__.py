"""Numbers become numbers: accuracy with ties, intervals, outcomes. Pure."""
