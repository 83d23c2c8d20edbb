"""What one step sees: real images, and the random inputs of generated ones.

real_images   batches of real images, read ahead on threads
draws         latents, cameras and noise of a step's generated images
augmentation  random transforms of the discriminators' images, for small data sets
patches       parts of pictures in few pixels, of any scale
"""
