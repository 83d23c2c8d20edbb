"""Mesh files: OBJ, PLY, GLB, STL and 3MF.

formats    files of all formats, checked after writing
three_mf   the contents of 3MF files
placement  unit, axes and name of a mesh in a file
"""
