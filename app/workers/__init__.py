"""Threads that compute for the window. They know no toolkit and hand over values.

=================  ==================================================================
schedule           the newest request wins; when to refine, when to draw a frame
picture_worker     pictures in passes, coarse to fine
mesh_worker        the live mesh: a draft, then the resolution that was asked for
model_loader       the loaded model, and the load under way
jobs               exports and downloads, one after the other
process            memory given back, and an end that cannot hang
=================  ==================================================================
"""
