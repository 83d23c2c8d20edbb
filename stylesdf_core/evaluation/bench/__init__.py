"""Speed: the engine against the plain modules, side by side, on any machine.

rows            the rows as data, how each kind is measured, and run_bench
paths           what the plain path and the engine compute in a row, and the errors between both
scenes          the scene of each repeat: orbiting, dragging, sliding, changing
timing          both paths in turns with a clock
reference_path  the plain path: the network's own modules
full_model      the published architecture, fitted to a head-like shape
memory_probe    peak memory of one picture, in a process of its own
machine         the machine in one sentence
speed_report    SpeedReport: the tables, and the same as JSON
SPEED.md        all figures, how they are measured, and where the time goes
"""
