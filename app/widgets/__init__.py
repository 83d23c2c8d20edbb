"""Placeholder: widgets."""
