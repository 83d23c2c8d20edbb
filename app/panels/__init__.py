"""One panel a file; each writes the scene into its widgets and the widgets into the workbench.

Panels never import each other.
"""
