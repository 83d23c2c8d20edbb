"""The Explore tab.

page       the tab in the window: places its panels and lets them show the state
columns    the columns that hold the panels, and their splitters
strip      the foldable area under the viewport, and its tabs
panels/    one file for each panel: identity, mixing, camera, mesh, export …
parts/     parts of panels: headings, sliders, bars, the timeline's axis, export's settings
viewport/  picture and mesh, the mouse's gestures, and what lies over and under them
dialogs/   windows over the tab: *New from photo*, batches
"""
