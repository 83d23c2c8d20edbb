"""The scene and its keyframes: their changes and history, and where both are kept.

document    the scene and the keyframes, their history, and whether they are saved
edits       changes that panels make to a scene, as pure functions
directions  where the shown face lies on each direction of its model
timeline    keyframes, the playhead, and the scene that it shows
faces       the faces visited and the favourites, kept in files
sessions    sessions from files, and which of their models are loaded
"""
