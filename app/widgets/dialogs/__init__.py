"""Windows that ask for a file, ask to confirm, or list; files in the system's own programs.

dialogs       opens one dialog at a time; a file dialog of the desktop where there is one
file_dialog   the program's own file dialog
file_tiles    small pictures before the rows of that dialog
file_manager  files in the system's file manager, or in the program that opens them
"""
