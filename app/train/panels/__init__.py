"""The panels of the Train tab; none of them imports another.

runs      the list of runs
run       the selected run's name, state and actions
curves    its figures as plots
samples   its sample grids, with a slider through the steps
run_log   what its processes said last
new_run   the form of a new run
"""
