"""Windows over the tab.

photo_dialog  *New from photo*: photographs, the guess beside them, what can be done
photo_panes   its drawn parts: faces to choose from, and the framing by hand
batch_dialog  the dialog for batches of many faces
"""
