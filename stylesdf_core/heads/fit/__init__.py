"""Placeholder: heads/fit."""
