"""The Train tab: runs, curves and samples of a run, and the form of a new run."""
