"""What one step of a stage does, and the samples drawn between steps.

phase         base of the phases: draws generated images, measures the averaged generator
sphere_phase  the sphere, with which a new renderer begins
gan_phase     renderer, decoder, or both, against their discriminators (stages 1 and 2, joint)
snapshots     sample grids, a mesh, and distances between generated and real images
"""
