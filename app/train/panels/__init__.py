"""The panels of the Train tab, one a file; none of them imports another."""
