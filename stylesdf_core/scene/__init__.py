"""Scene: all that a picture depends on, as one frozen value, and its place inside a picture file.

scene      the dataclass, to and from JSON
embedding  the scene's JSON in a PNG text chunk or a GIF comment
"""
