"""Placeholder: heads/measure."""
