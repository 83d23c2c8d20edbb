"""The fast path from a Scene to pictures: the pixels that model.networks defines, computed faster.

A style is folded into the weights once; then only samples that can be seen are evaluated.

passes          a scene's picture in passes, coarse to fine
engine          Engine: a Scene in, pictures and distances out; add a view here
march/          from rays to colours, depths and features: the field, evaluated where it can be seen
styles          a scene's identity, morph and mixing -> the latents of the two networks
baked_decoder   a style folded into the decoder's weights
decoder_noise   the decoder's noise maps, on the screen or on the surface
direct          the surface's own colours at any size, without volume render and decoder
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
