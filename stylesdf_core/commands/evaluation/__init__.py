"""``evaluate``: a model's pictures and shapes in figures.

evaluate   the command
processes  ``--gpus``: starts the processes that measure together
process    one of them
"""
