"""The Explore tab.

============  =================================================================================
page          the tab in the window: places its panels and lets them show the state
section       a panel's heading, which folds the panel
columns       the columns that hold the panels, and their splitters
viewport      picture and mesh under one camera; the mouse's gestures
drag_marks    the points of *Drag points*: drawn, put, taken, pinned and removed
strip         the foldable area under the viewport, and its tabs
toolbar       view modes, split and camera presets under the viewport
photo_dialog  *New from photo*: photographs, the guess beside them, what can be done
photo_panes   its drawn parts: faces to choose from, and the framing by hand
overlay       cards for loading and errors over the viewport, and toasts
time_axis     the axis of the timeline: keyframes and playhead
layer_bars    one upright bar for each layer of field and decoder
background    the background of exported pictures
assets        the settings of exported meshes
batch_dialog  the dialog for batches of many faces
sliders       sliders and seed fields that change the document or the settings
panels/       one file for each panel: identity, mixing, camera, mesh, export …
============  =================================================================================
"""
