"""The panels of the Explore tab, one a file; none of them imports another."""
