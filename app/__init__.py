"""The desktop studio: a window over ``stylesdf_core``; the only package that imports dearpygui.

Floor plan, top floor first; a room imports only rooms below it (checked by import-linter):

===============  ==================================================================================
__main__         the start of ``stylesdf-studio``: signals and streams, then ``program``
program          reads the command line, then opens the window or runs a command
command_line/    the commands by their names; wrong words, as one sentence each
serve/           the studio in a browser, over HTTP; no Dear PyGui
bench/           measures the studio's speed while a script moves the mouse
studio           the window: main loop, the tabs, actions for menus and shortcuts
menus            the menu bar
shortcuts        one table of shortcuts, read by the keyboard handler, the menus and the F1 list
tabs             the tabs in the menu bar
window_place     the window's place on the displays, its scale, and full screen
actions          actions of menus and keys that need the window: file dialogs, views and tabs
train/           the Train tab: runs, curves, samples, the form of a new run
compare/         the Compare tab: two faces, models or views under one camera
sheet/           the Sheet tab: an endless page of faces
explore/         the Explore tab: viewport, toolbar, panels, cards and toasts
widgets/         building blocks over Dear PyGui that all tabs share: theme, slider, dialogs …
state/           the document, the settings, the picture and mesh on the screen; no Dear PyGui
workers/         the threads that compute, and their schedule; no Dear PyGui
===============  ==================================================================================

From a drag to a texture, in the order of one turn of the main loop, ``Studio.step``:

1. *Viewport* (``explore/viewport/viewport.py``): ``Viewport.drag`` turns the mouse's motion since
   the last frame into a camera and puts a new scene into the document.
2. *Document* (``state/document/document.py``): holds the scene; the end of the drag makes one undo
   step.
3. *Screen* (``state/pictures/screen.py``): ``Workbench.tick`` passes the scene to the screen. A
   scene that differs from the last becomes a request to a worker; while the mouse moves, the worker
   computes only the first pass.
4. *Worker* (``workers/concurrency/schedule.py``): a thread takes the newest request only. The
   module's docstring draws the states of a request and says when the next frame is drawn. How fine
   the first pass is, up to the decoded image, is chosen in ``workers/pass_planner.py``.
5. *Passes* (``workers/picture_worker.py``): the thread iterates ``engine/passes.py``, coarse to
   fine, and publishes each pass with its pixels enlarged for the screen.
6. *Texture* (``widgets/drawing/texture.py``): before the next frame ``Screen.poll`` takes the
   newest pass, and ``Viewport.sync`` uploads it as a texture, which that frame draws.

Where to add things:

- a view: a name in ``View`` of ``stylesdf_core/scene/scene.py``, its picture in
  ``stylesdf_core/engine``, its tooltip in ``explore/viewport/toolbar.py``; menu and shortcut
  follow.
- an export format: a line in ``EXPORTS`` of ``state/exports.py`` (button and menu item); a mesh
  format is written by ``stylesdf_core/mesh/files/formats.py``, pictures and films by
  ``pictures.py`` and ``film_files.py`` in ``stylesdf_core/commands/scenes``.
- a panel: a class in ``explore/panels``, and its place in ``explore/page.py``.
- a setting, remembered between starts: a field in ``state/settings.py``.
"""
