"""The panels beside and below the viewport.

A panel's constructor creates its widgets in the current container, ``resize`` fits them into the
column, ``sync`` shows the state. Panels know nothing of each other.

============  =================================================================================
identity      seed, truncation, the model's directions
mixing        the second face: morph, groups of latents, one bar a layer
camera        azimuth, elevation, field of view, pose guide
mesh          resolution, level and look of the surface; the mesh report
export        folder, name, a button for each format; the turntable
filmstrip     the faces visited and the favourites, under the viewport
timeline      keyframes and films of them, under the viewport
jobs          exports and downloads under way
status        the line at the bottom: picture, speed, device, memory
============  =================================================================================
"""
