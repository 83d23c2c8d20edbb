"""Building blocks over Dear PyGui that both tabs share; none knows faces or training runs.

theme      colours, fonts, lengths: every style name of Dear PyGui
fonts      the typeface's files, and the width of a text
scripts    the system's fonts for Chinese, Arabic and others
ui         lengths at the window's scale, texts, buttons, fields to type in
canvas     a surface for hand-drawn widgets
home       where the keyboard's focus rests while no control has it
pointer    which hand-drawn widget the mouse hovers, presses and drags
icons      the few icons, drawn
slider     label, track and value in one line
column     a container that the layout places
side_layout  a column of controls with one large area beside it
splitter   the bar between two columns
backdrop   the dark ground behind pictures
tooltips   explanations of widgets, beside their panels
picture_cache  many small pictures on the graphics card
gallery    rows of small pictures: clicked, starred, dragged, scrolled
popup      a menu that opens at the mouse
texture    pictures on the graphics card
files      files in the system's file manager
file_dialog  the program's own file dialog
file_tiles  small pictures before the rows of that dialog
dialogs    windows that ask for a file, ask to confirm, or list
"""
