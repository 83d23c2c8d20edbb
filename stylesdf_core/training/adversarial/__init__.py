"""The paper's stages, trained from images: sphere, renderer, decoder, and both together.

stages    from a stage's settings to a run: images, models, phases
config/   settings of the stages: one nested dataclass a stage, which is also config.json
phases/   what one step does, and the samples drawn between steps
terms/    losses of generators and discriminators, as modules
batches/  what one step sees: real images, and the random inputs of generated ones
speed     images a second of the stages, for the bench
"""
