"""Placeholder: scene."""
