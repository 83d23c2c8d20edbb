"""The networks of the paper in plain PyTorch: the definition that the engine is tested against.

generator       z -> w -> volume render -> image (Fig. 2), joins mapping, field and decoder
film_siren      mapping network and FiLM-SIREN field
background_field  the small field behind the volume, of models that have one
decoder         StyleGAN2 decoder, from the volume render's features to the image
ops             StyleGAN2's building blocks: equalised layers, blur, up- and downsampling
discriminators  of volume renders, with pose, and of decoded images
"""
