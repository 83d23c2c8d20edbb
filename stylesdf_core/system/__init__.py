"""What lies under the program: the terminal, memory, processes and OpenGL.

console    streams that cannot print everything; signals
memory     kept from one picture to the next, given back at rest
processes  one function for many things, in several processes
opengl     what is to be set before a process opens a window or an OpenGL context
"""
