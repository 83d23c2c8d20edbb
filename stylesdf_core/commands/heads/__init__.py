"""Commands of the synthetic heads.

make            ``heads``: a data set of synthetic heads
measure         ``measure heads``: a model against the true synthetic heads
measure_invert  ``measure invert``: fits to pictures of unseen heads against these heads
measure_drag    ``measure drag``: points of heads are dragged; whether they arrive
"""
