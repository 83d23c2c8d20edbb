"""Commands of the synthetic heads.

make          ``heads``: a data set of synthetic heads
recipe        ``recipe``: makes a model from the face model: data, training, weights, figures
recipe_steps  requests one after the other, each resumed where it stopped
measure       ``measure``: a model against the true synthetic heads
"""
