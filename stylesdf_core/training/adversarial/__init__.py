"""Placeholder: training/adversarial."""
