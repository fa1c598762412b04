"""Texts and files: reading, writing, layouts, splits. No tokenizer, no tensor."""
