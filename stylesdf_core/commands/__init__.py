"""User-visible operations: a frozen dataclass is the request, its ``run()`` does the work.

``run()`` is a generator: it yields Progress and ends with the result. The command line, the window
and the tests make the same requests. A new request becomes a command in
``app/command_line/commands.py``, and a name of the library in ``stylesdf_core/__init__.pyi``.

scenes/        ``render``, ``animate``, ``mesh``, ``batch`` …: files of scenes
drag           ``drag``: points of a face move in its picture, and the face follows
invert         ``invert``: photographs to a head
models         ``models list``, ``models fetch``, ``models export``
directions     ``models directions``
dataset        ``dataset check``, ``dataset pack``, ``dataset align``
heads/         ``heads``, ``measure``: synthetic heads
recipes/       ``recipe heads``, ``recipe compare``: many commands in order
train/         ``train …``: the stages of training
evaluation/    ``evaluate``: a model's pictures and shapes in figures
bench          ``bench``: speed
info           ``info``: this installation and machine, and one model's facts

Shared by them:

photo_views    the photographs of ``invert`` as a fit sees them
command_line   a request as the shell command that does the same
named_values   lists of NAME=VALUE
field_help     each field of a request with its flag, type and help, for the window's forms
"""
