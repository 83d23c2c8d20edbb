"""What the Train tab knows: runs, their records, and a new run's form; no Dear PyGui.

training         the tab's state and actions; asks the files below once a frame
lookup           runs a slow look-up in a thread and keeps its newest answer
watch            reads run folders: the list of runs, and one run's records as they grow
curves           a run's figures grouped, smoothed and thinned out
samples          a run's sample grids
evaluating       a run's evaluation: the request, its job, and how it stands in words
dry_run          what a new run would take, measured in a process
process          the process that trains, started and stopped
new_run          a run before it starts: the form, its images, its problems
training_form    the form as text, and the request that it describes
dataset_preview  checks the images of a new run and shows some of them
"""
