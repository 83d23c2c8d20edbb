"""The studio without a window; nothing here knows a toolkit.

============  =================================================================================
workbench     all of it in one object: what panels read and call
document      the current scene, its history, and whether it is saved
edits         what panels do to a scene, as pure functions
screen        the newest picture and mesh; asks the workers for better ones
settings      what is remembered between starts, and its files
exports       the kinds of export, and the request behind each
problems      errors in words for the user, with buttons that help
============  =================================================================================
"""
