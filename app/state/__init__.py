"""The studio's state; nothing here imports Dear PyGui.

============  =================================================================================
workbench     one object that panels read and call: document, settings, workers, messages
document      the scene and the keyframes, their history, and whether they are saved
sessions      sessions from files, and which of their models are loaded
directions    where the shown face lies on each direction of its model
edits         changes that panels make to a scene, as pure functions
faces         the faces visited and the favourites, kept in files
contact_sheet  an endless page of faces, filled while nothing else is computed
comparison    two scenes and views under one camera
about         version, licences, device and folders
messages      messages to the user, shown as toasts
screen        the newest picture and mesh; asks the workers for finer ones
timeline      keyframes, the playhead, and the scene that it shows
dragging      *Drag points*: points on the face, and the face that follows
photo_fit     *New from photo*: the faces of photographs, and the fit to them in a thread
hand_framing  a photograph's framing by hand: marks of eyes and mouth
displays      the displays of this machine, and the window's place on them
settings      settings that are remembered between starts, and their files
file_browser  folders, entries and typed paths of the program's own file dialog
exports       the kinds of export, and the request that each kind makes
wording       the core's sentences and errors in the window's words
problems      errors over the viewport, with buttons that help
============  =================================================================================
"""
