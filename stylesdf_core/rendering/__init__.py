"""Placeholder: rendering."""
