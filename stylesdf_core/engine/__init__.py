"""The fast path from a Scene to pictures: the pixels that model.networks defines, computed faster.

A style is folded into the weights once; then only samples that can be seen are evaluated.

passes          a scene's picture in passes, coarse to fine
engine          Engine: a Scene in, pictures and distances out; add a view here
styles          a scene's identity, morph and mixing -> the latents of the two networks
baked_field     a style folded into the field's weights (FiLM-SIREN)
baked_decoder   a style folded into the decoder's weights
distance_grid   distances of one style on a grid, with a bound on the error in every cell
ray_march       volume rendering that evaluates only samples that can be seen
marches         which of the ray marches is fastest
dense_march     the ray march with every sample evaluated, for a GPU
compiled_march  the ray march with compiled loops, for a CPU
compiled_loops  whether the compiled loops are used, and when they are loaded
cpu_kernels     the compiled loops themselves (Numba)
tiles           rows of work cut into pieces that stay in a core's cache
surface_trace   where rays first meet the surface, by the distance grid
trace_kernel    the loop of surface_trace (Numba)
direct          the surface's own colours at any size, without volume render and decoder
volume          a camera's rays through the ray march, tile by tile
batch_render    volume renders for training, without gradients
texturing       textures of a mesh, baked from decoded pictures and the field
mixing_effects  how much each control of style mixing changes a model's pictures
cut             the plane that cuts a head open
sdf_slice       a head cut open by a plane, with iso-lines of its distances
matte           a head cut out of its picture
levels          levels of detail of a picture that moves
matching        coarse levels given the colours, place and size of the decoded image
picture         Picture: a rendered array and the colours in which a screen shows it
"""
