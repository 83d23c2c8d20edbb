"""The decoder at the engine's speed: from a volume render to the decoded image.

baked_decoder  a style folded into the decoder's weights
convolutions   a layer's rows: plain, or twice as large
decoder_noise  the decoder's noise maps, on the screen or on the surface
matching       coarse levels given the colours, place and size of the decoded image
"""
