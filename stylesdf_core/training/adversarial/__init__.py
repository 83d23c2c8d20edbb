"""The paper's training from images: sphere initialisation, renderer, decoder, and both jointly."""
