"""A model measured against the true synthetic heads of the same seeds.

measuring   HeadsMeasurement: renders a model's heads and the true ones, and collects scores
truth       the true head of a seed: pictures, silhouettes, surface, eyes
scores      scores of one head: views, orbits, meshes
eyes        whether a frontal face has two eyes, by OpenCV's detector
irises      scores of an eye: its catchlight and the colour of its iris
drags       points of heads dragged by some millimetres, and their figures
landmarks   landmarks as linear functions of z, for the fit to photographs
inversions  heads fitted to single pictures of unseen heads, and their figures
figures     figures with their targets, and one report, from the scores
"""
