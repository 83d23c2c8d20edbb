"""Building blocks over Dear PyGui that all tabs share; none knows faces or training runs.

dialogs/   windows that ask for a file, ask to confirm, or list
layout/    columns, and the bars between them
controls/  what the user presses, drags, types in and picks
drawing/   typeface, colours, icons, pictures, and surfaces for hand-drawn widgets
"""
