"""Training: stages that run in a folder, resume exactly, and stop when asked."""
