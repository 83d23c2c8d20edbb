"""Placeholder: evaluation/bench."""
