"""What the user presses, drags, types in and picks, by mouse and by keyboard.

ui         lengths at the window's scale, texts, buttons, fields to type in
slider     label, track and value in one line
gallery    rows of small pictures: clicked, starred, dragged, scrolled
popup      a menu that opens at the mouse
tooltips   explanations of widgets, beside their panels
pointer    which hand-drawn widget the mouse hovers, presses and drags
home       where the keyboard's focus rests while no control has it
"""
