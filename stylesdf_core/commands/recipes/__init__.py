"""``recipe …``: many commands in order, in one folder, resumed where they stopped.

heads    ``recipe heads``: makes a model from the face model: data, training, weights, figures
compare  ``recipe compare``: the same networks as a signed distance and as a density
steps    requests one after the other, each resumed where it stopped
"""
