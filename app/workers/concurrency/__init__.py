"""How work runs beside the window's main loop; knows nothing of models and pictures.

schedule       which request is computed, when it is refined, when a frame is drawn
alarm          wakes the main loop for news and for the user's input
jobs           exports and downloads, one after the other
native_dialog  the desktop's file dialog, as a process
process        postpones Python's collector at a start; ends the program though a worker is busy
"""
