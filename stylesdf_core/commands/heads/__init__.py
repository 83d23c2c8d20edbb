"""Commands of the synthetic heads.

make     ``heads``: a data set of synthetic heads
measure  ``measure``: a model against the true synthetic heads
"""
