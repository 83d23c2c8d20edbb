"""The window's speed: a real studio under a mouse that a script moves.

command        ``bench`` on the command line: the engine's rows and the window's
studio_bench   the window's rows as data; starts the studio and collects its figures
studio_driver  runs in the studio's process: moves the mouse, times what the screen shows
"""
