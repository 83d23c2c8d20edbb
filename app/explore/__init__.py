"""Placeholder: explore."""
