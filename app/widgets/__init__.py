"""Dear PyGui's dressing: what both tabs are built from; nothing here knows faces or training runs.

theme      colours, fonts, lengths: every style name of Dear PyGui
fonts      where the typeface lies, and how wide a text is
ui         lengths at the window's scale, texts, buttons, fields to type in
canvas     a surface for hand-drawn widgets
pointer    which hand-drawn widget the mouse hovers, presses and drags
icons      the few icons, drawn
slider     label, track and value in one line
column     a container that the layout places
splitter   the bar between two columns
backdrop   the dark ground behind pictures
texture    a picture on the graphics card
dialogs    windows that ask for a file, ask to confirm, or list
"""
