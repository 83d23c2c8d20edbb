"""The supervised fit: a generator learns synthetic heads from their meshes and rendered views.

From a step's batch to its losses, in the order in which a reader meets the files:

config          all settings; the defaults are those of ``recipe heads``. The shipped weights grew
                over several sessions with other numbers (pretrained/heads.md)
stage           prepares heads, then trains the phases in a run folder (``train fit``)
phase           base class of the phases: seeded batches, learning rates, one optimizer step
field_phases    points, renders, and the search of a density, which train the field
decoder_phases  decoder, end to end, and refinement, which train the decoder
supervision     losses on points: distances, colours, hidden layers
windows         the parts of pictures that phases with a decoder compare
field           the field and its volume render in mixed precision, for training
bank            batches of points and views from the prepared heads
views           renders the views that are prepared
initial         initial weights for regression to known heads
measures        figures and sample grids of held-out heads
"""
