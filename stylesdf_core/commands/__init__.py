"""User-visible operations: a frozen dataclass is the request, its ``run()`` does the work."""
