"""Placeholder: explore/panels."""
