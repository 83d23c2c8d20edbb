"""The fast path from a Scene to pictures: the pixels that model.networks defines, computed faster.

A style is folded into the weights once; then only samples that can be seen are evaluated.

passes          a scene's picture in passes, coarse to fine
sdf_slice       a head cut open by a plane, with iso-lines of its distances
texturing       textures of a mesh, baked from decoded pictures and the field
coverage        how much of each pixel a head covers
mixing_effects  how much each control of style mixing changes a model's pictures
engine          Engine: a Scene in, pictures and distances out; add a view here
styles          a scene's identity, morph and mixing -> the latents of the two networks
decoder/        a style folded into the decoder's weights, its noise, and colours that match it
direct          the surface's own colours at any size, without volume render and decoder
levels          levels of detail of a picture that moves
batch_render    volume renders for training, without gradients
march/          from rays to colours, depths, features
field/          a style folded into the field's weights
compiled/       loops and graphs that are compiled on the user's machine
picture         Picture: a rendered array and the colours in which a screen shows it
matte           a head cut out of its picture
cut             the plane that cuts a head open
"""
