"""Placeholder: train."""
