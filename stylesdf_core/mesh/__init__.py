"""Placeholder: mesh."""
