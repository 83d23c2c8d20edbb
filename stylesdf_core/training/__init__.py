"""Training: stages that run in a folder, resume exactly, and stop when asked.

loop          phases one after the other: steps, averages, records, checkpoints, roll-backs
stages        which stages there are; a run folder -> its stage and settings
settings      nested config dataclasses as tables of dotted paths
run_config    settings of how any stage runs: seed, device, precision, intervals
run_dir       the run folder: config.json, statistics, checkpoints, who trains there
run_summary   a run at a glance, without torch
processes     training in processes of its own: start, last words, log
world         the processes that train together (DDP), and each one's share of a batch
monitor       records, TensorBoard events and advice while a run goes on
optimizing    one optimizer step from the chunks of a batch
losses        loss terms as pure functions
precision     half precision for decoder and discriminators, never for the field
seeds         generators and initial weights that a seed decides
grids         sample grids as PNG
adversarial/  the paper's stages, from images
"""
