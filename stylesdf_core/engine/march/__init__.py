"""From rays to colours, depths and features: the field, evaluated only where it can be seen.

In the order of a picture: a grid of distances shows where the surface can be, and a ray march
evaluates the samples there, tile by tile.

ray_march       volume rendering that evaluates only samples that can be seen
marches         which of the ray marches is fastest
dense_march     the ray march with every sample evaluated, for a GPU
compiled_march  the ray march with compiled loops, for a CPU
distance_grid   distances of one style on a grid, with a bound on the error in every cell
surface_trace   where rays first meet the surface, by the distance grid
trace_kernel    the loop of surface_trace (Numba)
tiles           rows of work cut into pieces that stay in a core's cache
volume          a camera's rays through the ray march, tile by tile
camera_march    a whole volume render as one graph of a GPU
"""
