"""Synthetic heads: a morphable model, its appearance, and their renderer."""
