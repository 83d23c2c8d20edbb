"""The desktop studio: a window over ``stylesdf_core``; the only package that imports dearpygui.

Floor plan, top floor first; a room imports only rooms below it (checked by import-linter):

=============  ====================================================================================
__main__       the start of ``stylesdf-studio``: signals and streams, then ``program``
program        the words of the command line: the window, or one of the commands
bench/         the studio measured under a scripted hand
studio         the window: main loop, pages
menus          the menu bar
shortcuts      one table of keys, obeyed, shown in menus and listed by F1
actions        what menus and keys do beyond the state: ask for files, switch views and tabs
train/         the Train tab: runs, curves, samples, the form of a new run
explore/       the Explore tab: viewport, toolbar, panels, cards and toasts
widgets/       Dear PyGui's dressing: theme, slider, canvas, textures, dialogs
state/         the document, the settings and what is on the screen; knows no toolkit
workers/       the threads that compute, and when they do; knows no toolkit
=============  ====================================================================================

From a drag to a texture, in the order of one turn of the main loop, ``Studio.step``:

1. *Viewport* (``explore/viewport.py``): ``Viewport.drag`` turns the mouse's motion since the last
   frame into a camera and puts a new scene into the document.
2. *Document* (``state/document.py``): holds the scene; the end of the drag makes one undo step.
3. *Screen* (``state/screen.py``): ``Workbench.tick`` passes it the scene. A scene unlike the last
   one becomes a request to a worker, which is held after its first pass while something moves.
4. *Worker* (``workers/schedule.py``): a thread takes the newest request only. Its docstring draws
   the states of a request and says when the next frame is drawn.
5. *Engine pass* (``workers/picture_worker.py``): the thread iterates ``Engine.passes``, coarse to
   fine, and publishes each pass with its pixels enlarged for the screen.
6. *Texture* (``widgets/texture.py``): before the next frame ``Screen.poll`` takes the newest pass,
   and ``Viewport.sync`` uploads it as a texture, which that frame draws.

Where to add things:

- a view: a name in ``VIEWS`` of ``stylesdf_core/scene/scene.py``, its picture in
  ``stylesdf_core/engine``, its tooltip in ``explore/toolbar.py``; menu and shortcut follow.
- an export format: a line in ``EXPORTS`` of ``state/exports.py``, which gives it a button and a
  menu item; the file is written by ``stylesdf_core/commands``.
- a panel: a class in ``explore/panels``, and its place in ``explore/page.py``.
- something that is remembered between starts: a field in ``state/settings.py``.
"""
