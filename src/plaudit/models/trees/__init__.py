"""Token trees: every token computed once."""
