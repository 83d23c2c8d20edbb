"""Placeholder: workers."""
