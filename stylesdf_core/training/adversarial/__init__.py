"""The paper's stages, trained from images: sphere, renderer, decoder, and both together.

config         settings of the stages, one nested dataclass each
images_config  settings of the images
poses_config   settings of the cameras, which belong to the model
augment_config  settings of the images' random transforms
presets        settings that differ from the paper's, by preset
stages         from a stage's settings to a run: images, models, phases
phase          base of the phases: draws generated images, measures the averaged generator
sphere_phase   the sphere, with which a new renderer begins
gan_phase      renderer, decoder, or both, against their discriminators (stages 1 and 2, joint)
terms/         losses of generators and discriminators, as modules
augmentation   random transforms of the discriminators' images, for small data sets
patch_config   settings of the training through patches
patches        parts of pictures in few pixels, of any scale
draws          latents, cameras and noise of a step's generated images
real_images    batches of real images, read ahead on threads
snapshots      sample grids, a mesh, and distances between generated and real images
speed          images a second of the stages, for the bench
health         advice from a run's recorded figures
"""
