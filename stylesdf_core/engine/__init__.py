"""The fast path: the pictures of the plain modules, many times faster, for one style at a time.

engine          Engine: a Scene in, pictures, distances and progressive passes out
styles          a scene's identity, morph and mixing -> the latents of the two networks
baked_field     a style folded into the field's weights (FiLM-SIREN)
baked_decoder   a style folded into the decoder's weights
distance_grid   distances of one style on a grid, with a bound on the error in every cell
ray_march       which samples of a ray can be seen; only these are evaluated
compiled_march  the ray march with compiled loops, for a CPU
cpu_kernels     the compiled loops themselves (Numba)
tiles           how points are cut into pieces that stay in a core's cache
picture         Picture: a rendered array and how a screen shows it
"""
