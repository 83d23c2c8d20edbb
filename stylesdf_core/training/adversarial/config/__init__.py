"""Settings of the stages: one nested dataclass a stage, which is also its flags and config.json.

stages        settings of each stage: architecture, phases, batches
losses        weights and rates of the losses
images        settings of the images
poses         settings of the cameras, which belong to the model
augmentation  settings of the images' random transforms
patches       settings of the training through patches
presets       settings that differ from the paper's, by preset
"""
