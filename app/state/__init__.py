"""The studio's state; nothing here imports Dear PyGui.

=============  ================================================================================
about          version, licences, device and folders
problems       errors over the viewport, with buttons that help
autosave       scene, keyframes and settings, written once nothing changes for a while
workbench      one object that panels read and call: document, settings, workers, messages
exports        the kinds of export, and the request that each kind makes
optimisation/  faces that a thread optimises: towards photographs, or towards dragged points
document/      the scene, its keyframes and their history, and the faces visited
pictures/      pictures of the three tabs: Explore's and its mesh, Compare's two, Sheet's page
messages       messages to the user, shown as toasts
settings       settings that are remembered between starts, and their files
displays       the displays of this machine, and the window's place on them
file_browser   folders, entries and typed paths of the program's own file dialog
wording        the core's sentences and errors in the window's words; paths
=============  ================================================================================
"""
