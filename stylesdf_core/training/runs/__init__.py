"""Runs: a folder holds a training run, whether or not a process trains in it.

run_dir      the run folder: config.json, statistics, checkpoints, the process that trains there
stages       the registry of stages; a run folder -> its stage and settings
run_data     fingerprints of a run's data, by which they are recognised elsewhere
run_init     the digest of the weights that a run began with
run_summary  a run at a glance, without torch
processes    training in separate processes: start, reason of a failure, log
monitor      records, TensorBoard events and advice while a run goes on
health       advice from a run's recorded figures
"""
