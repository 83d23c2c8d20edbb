"""From a camera to colours: the paper's equations as pure functions of tensors.

camera            orbit camera: azimuth, elevation, field of view; where the volume lies
rays              a pixel grid and camera matrices -> rays and the samples along them
inverted_sphere   places behind the volume, by direction and inverse radius
trained_volume    where a field was trained; samples elsewhere are empty
surface_noise     noise for the decoder that turns with the surface
volume_rendering  SDF -> density (Eq. 3) -> alpha, weights -> colour, features, depth

Nothing here knows a network: the field is a callable that is passed in.
"""
