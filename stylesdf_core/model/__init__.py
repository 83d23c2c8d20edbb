"""Placeholder: model."""
