"""The panels of the Train tab; none of them imports another.

runs      the list of runs
run       the selected run's name, state and actions
curves    the selected run's figures as plots
samples   the selected run's sample grids, with a slider through the steps
run_log   the end of the selected run's log
new_run   the form of a new run
"""
