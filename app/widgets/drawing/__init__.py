"""What a widget is drawn with: typeface, colours, icons, pictures, and a surface to draw on.

theme      colours, fonts, lengths: every style name of Dear PyGui
fonts      the typeface's files, and the width of a text
scripts    the system's fonts for Chinese, Arabic and others
icons      the few icons, drawn
texture    pictures on the graphics card
picture_cache  many small pictures on the graphics card
canvas     a surface for hand-drawn widgets
backdrop   the dark ground behind pictures
"""
