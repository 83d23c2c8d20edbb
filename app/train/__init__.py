"""The Train tab: a list of runs | curves, samples and log of one run | the form of a new run.

page        the tab in the window: places and connects its panels
panels/     the widgets, one panel a file
parameters  the form's settings as rows of widgets
state/      runs, their records, and a new run's form, without Dear PyGui
"""
