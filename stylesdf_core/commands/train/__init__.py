"""``train``: the commands that train, and the process that they start.

stages   ``train sphere-init``, ``renderer``, ``decoder``, ``joint``; registers all stages
fit      ``train fit``: the supervised fit to synthetic heads
listing  ``train list``
base     base class of the training commands: make a run's folder, check, resume
process  the process that trains in a run folder
"""
