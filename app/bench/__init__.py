"""Placeholder: bench."""
