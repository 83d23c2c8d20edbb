"""Commands that make files of scenes: pictures, films, contact sheets, meshes, many faces at once.

pictures     ``render``
films        ``animate``, ``turntable``
sheets       ``sheet``
compare      ``compare``
meshes       ``mesh``
batch        ``batch``: pictures and meshes of many faces
demo         ``demo``

Shared by them:

options/         options that several of these commands share
batch_table      the table of a batch's files, as JSON and CSV
film_files       films as GIF, WebP and MP4, written frame by frame
numbered_frames  films as numbered pictures in a folder
depth_files      depth as a 16-bit picture, with its scale beside it
"""
