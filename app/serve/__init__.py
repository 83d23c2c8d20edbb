"""The studio in a browser: the state of the window, shown over HTTP by viser.

command   ``serve`` on the command line
server    the main loop: visitors, and the calls that their browsers make
visitor   one visitor: a scene, a screen and a page of their own on the shared engine
page      a visitor's controls
cameras   the browser's camera as the scene's, and back
pictures  a picture on the browser's canvas
"""
