"""The Train tab: a list of runs | curves, samples and log of one run | the form of a new run.

page             the tab in the window: where its panels stand
panels/          what is drawn and clicked, one panel a file

Without the toolkit:

training         the tab's state and actions; asks the files below once a frame
lookup           a question that a thread answers, again and again
watch            reads run folders: the list of runs, and one run's records as they grow
curves           a run's figures grouped, smoothed and thinned out
samples          a run's sample grids
process          the process that trains, started and stopped
new_run          a run before it starts: the form, its images, its problems
training_form    the form as text, and the request it makes
dataset_preview  a look at the images of a new run

parameters       the form's settings as rows of widgets
"""
