"""The Compare tab: two faces, models or views under one camera.

page     the tab in the window: the two choices at the left, the pictures beside them
sides    the choice of one of the two: face, model and view
panes    the pictures, under the mouse: orbit and wipe
"""
