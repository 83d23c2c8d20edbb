"""Training: stages that run in a folder, resume exactly, and stop when asked.

A setting is a field with a help text: in ``run_config`` for every stage, in ``adversarial/config``
for the paper's stages, in ``heads/fit/config.py`` for the fit. Flags, form and config.json follow.

loop          phases one after the other: steps, averages, records, checkpoints, resume, roll-back
phase         what the loop runs: models in training, and phases with their losses and networks
settings      nested config dataclasses as tables of dotted paths, such as ``volume.r1``
run_config    settings of how any stage runs: seed, device, precision, intervals
world         the processes that train together (DDP), and each one's share of a batch
optimizing    one optimizer step from the chunks of a batch; learning rates
estimate      what a run would take, from a few steps of each phase
TRAINING.md   data, commands, memory and time at full size
peak_memory   the most memory that a block of code needs
finite        losses and weights that are not finite, in words
losses        loss terms as pure functions
precision     half precision in the paper's stages: decoder and discriminators, not the field
runs/         run folders: their files, records, processes and summaries
adversarial/  the paper's stages, from images
"""
