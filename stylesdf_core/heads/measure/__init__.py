"""A model measured against the true synthetic heads: pictures, silhouettes, depth, eyes, meshes."""
