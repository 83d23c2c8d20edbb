"""Placeholder: data."""
