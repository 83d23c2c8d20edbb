"""What lies under the program: the terminal, memory, processes, arithmetic and OpenGL.

arithmetic  the type of numbers in which a machine convolves fastest
console     streams that cannot print everything; signals
memory      kept from one picture to the next, given back at rest
processes   one function for many things, in several processes
opengl      what is to be set before a process opens a window or an OpenGL context
"""
