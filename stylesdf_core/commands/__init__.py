"""User-visible operations: a frozen dataclass is the request, its ``run()`` does the work.

``run()`` is a generator: it yields Progress and ends with the result. The command line, the window
and the tests make the same requests.

pictures       ``render``
films          ``animate``, ``turntable``
sheets         ``sheet``
compare        ``compare``
meshes         ``mesh``
invert         ``invert``: photographs to a head
batch          ``batch``: pictures and meshes of many faces
demo           ``demo``
models         ``models list``, ``models fetch``, ``models export``, ``info``
directions     ``models directions``
dataset        ``dataset check``, ``dataset pack``, ``dataset align``
heads/         ``heads``, ``measure``: synthetic heads
recipes/       ``recipe heads``, ``recipe compare``: many commands in order
train/         ``train …``: the stages of training
evaluate       ``evaluate``: a model's pictures and shapes in figures
bench          ``bench``: speed

Shared by them:

evaluate_process  ``evaluate --gpus``: one of the processes that measure together
assets         meshes as assets: triangles, textures, levels of detail, units, a base
rendering      any view of a scene as a picture, meshes included
batch_table    the table of a batch's files, as JSON and CSV
film_files     films as GIF, WebP, MP4 and numbered pictures, written frame by frame
backgrounds    what a written picture shows behind the head
scene_flags    a scene as command-line flags, and back
depth_files    depth as a 16-bit picture, with its scale beside it
command_line   a request as the shell command that does the same
field_help     each field of a request with its flag, type and help, for the window's forms
"""
