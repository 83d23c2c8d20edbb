"""The window's speed: a real studio in which a script moves the mouse.

command        ``bench`` on the command line: the engine's rows and the window's rows
studio_bench   the window's rows as data; starts the studio and collects its figures
studio_driver  runs in the studio's process: moves the mouse, times pictures and frames
"""
