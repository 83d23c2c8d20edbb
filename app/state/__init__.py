"""Placeholder: state."""
