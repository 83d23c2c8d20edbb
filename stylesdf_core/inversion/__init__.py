"""From photographs to a head: optimisation of a scene until it looks like them.

fitting    Fit: the stages of the fit, from the mean face to the styles of each layer
tuning     Tuning: the layers of colour learn what the fitted head lacks
sights     the pictures that a tuning compares with
unknowns   what is fitted, as tensors with gradients, and the scene that it makes
march      a volume render with gradients that evaluates only samples near the surface
windows    windows of an image, decoded one at a time
losses     terms of the fit's loss
picture    a photograph as a square around a head, compared at any resolution
matte      a photograph's head on the model's own background
"""
