"""Parts of panels, each with a subject of its own.

section     a panel's heading, which folds the panel
sliders     sliders and seed fields that change the document or the settings
layer_bars  one upright bar for each layer of field and decoder
time_axis   the axis of the timeline: keyframes and playhead
background  the background behind the head
assets      the settings of exported meshes
"""
