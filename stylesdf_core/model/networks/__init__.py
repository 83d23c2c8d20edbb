"""The networks of the paper in plain PyTorch: the definition that the engine is tested against.

generator       z -> w -> volume render -> image (Fig. 2), from the three parts below
film_siren      mapping network and FiLM-SIREN field (Sec. 3.1)
decoder         StyleGAN2 decoder, from the volume render's features to the image (Sec. 3.2)
ops             StyleGAN2's building blocks: equalised layers, blur, up- and downsampling
discriminators  the judges of the two adversarial stages (Sec. 4)
"""
