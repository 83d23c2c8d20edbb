"""What the words of a command line mean.

commands         the commands by their names, and their types for the parser
open_window      what ``open`` takes
parser_messages  wrong words, as one sentence each
"""
