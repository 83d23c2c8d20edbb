"""Placeholder: engine."""
