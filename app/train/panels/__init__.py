"""Placeholder: train/panels."""
